//! Writes the corpus of each target into a folder, for libFuzzer: `seeds <folder>`.

use std::path::PathBuf;

use jetbase_fuzz::{TARGETS, corpus};

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "seeds".into()));
    for target in TARGETS {
        let folder = root.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, input) in corpus(target.name).into_iter().enumerate() {
            std::fs::write(folder.join(number.to_string()), input)?;
        }
    }
    Ok(())
}
