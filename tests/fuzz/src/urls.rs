//! The URLs of databases, and the passwords in them.

use jetbase_cli::fuzzing::{hidden, parsed_url};

/// What each password of this target begins and ends with. No other part of a URL holds them.
pub(crate) const MARKS: [&str; 2] = ["Zq7w", "wQ9z"];

pub(crate) fn urls(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = parsed_url(&text) {
        assert!(error.contains("postgresql://"), "{error}");
    }
    let _ = hidden(&[&text], &text);
    // scheme, user, password, the rest: each without what begins the next one
    let mut parts = text.split('\0');
    let mut part = |ends: &[char]| without_marks(parts.next().unwrap_or_default(), ends);
    let scheme = match part(&[]) {
        scheme
            if scheme.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'+')
                && !scheme.is_empty() =>
        {
            scheme
        }
        _ => "postgres".to_owned(),
    };
    if scheme.starts_with("sqlite")
        || scheme.to_ascii_lowercase().ends_with("file")
        || scheme.to_ascii_lowercase().starts_with("sqlite")
    {
        return;
    }
    let user = part(&[':', '@', '/', '?', '#']);
    let password = part(&[]);
    let rest = part(&['@']);
    let marked = |password: &str| format!("{}{password}{}", MARKS[0], MARKS[1]);
    let url = format!("{scheme}://{user}:{}@h{rest}", marked(&password));
    never_shown(&[&url], &url);
    never_shown(&[&format!("--database-url={url}")], &url);

    // The value of a parameter ends at the next `&`.
    let password = marked(&without_marks(&password, &['&']));
    let url = format!("{scheme}://h/{user}?a=b&password={password}&c=d");
    never_shown(&[&url], &url);
}

/// Returns a text without these characters, and without the marks of a password, also those that appear
/// when something else is removed.
fn without_marks(text: &str, ends: &[char]) -> String {
    let mut text = text.replace(ends, "");
    while MARKS.iter().any(|mark| text.contains(mark)) {
        text = MARKS.iter().fold(text, |it, mark| it.replace(mark, ""));
    }
    text
}

/// Checks each way in which a message can quote the URL.
fn never_shown(arguments: &[&str], url: &str) {
    let plain = format!("error: unexpected argument '{url}' found");
    let mut texts = vec![plain.escape_debug().to_string(), format!("{plain:?}")];
    texts.push(serde_json::Value::from(plain.clone()).to_string());
    if let Err(error) = parsed_url(url) {
        texts.push(error);
    }
    texts.push(plain);
    for text in texts {
        let safe = hidden(arguments, &text);
        for mark in MARKS {
            assert!(!safe.contains(mark), "{url:?} is quoted as {safe}");
        }
    }
}
