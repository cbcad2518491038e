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
    let mut parts = text
        .split('\0')
        .map(|part| MARKS.iter().fold(part.to_owned(), |it, mark| it.replace(mark, "")));
    let mut part = || parts.next().unwrap_or_default();
    let scheme = match part() {
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
    let user = part().replace([':', '@', '/', '?', '#'], "");
    let password = format!("{}{}{}", MARKS[0], part(), MARKS[1]);
    let rest = part().replace('@', "");
    let url = format!("{scheme}://{user}:{password}@h{rest}");
    never_shown(&[&url], &url);
    never_shown(&[&format!("--database-url={url}")], &url);

    // The value of a parameter ends at the next `&`.
    let password = password.replace('&', "");
    let url = format!("{scheme}://h/{user}?a=b&password={password}&c=d");
    never_shown(&[&url], &url);
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
