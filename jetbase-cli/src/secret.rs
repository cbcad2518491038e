//! Hides passwords from the command line and the configuration in every text that quotes them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ffi::OsString;
use std::net::Ipv6Addr;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::database_address::{DIRECT_URL, URLS};

/// A password, with the text in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Secret {
    before: String,
    password: String,
    extent: Extent,
}

/// How much of a password must be present for it to be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Its first character, because a message may quote a part.
    Prefix,
    /// All of it, with what follows, because the text in front of it may also occur elsewhere.
    Whole,
}

/// The secrets in the arguments and the environment of this process, and those learned later.
static KNOWN: LazyLock<RwLock<Vec<Secret>>> = LazyLock::new(|| {
    let mut known = secrets_in_arguments(std::env::args_os().collect());
    for name in URLS.iter().chain([&DIRECT_URL]) {
        let value = std::env::var_os(name).unwrap_or_default();
        known.extend(secrets_in(&value.to_string_lossy()));
    }
    RwLock::new(known)
});

const MASK: &str = "***";

/// From now on, hides the passwords of this text.
pub(crate) fn learn(text: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).extend(secrets_in(text));
}

/// Hides the known passwords in a text, including quoted and escaped forms.
pub(crate) fn hide(text: &str) -> Cow<'_, str> {
    hide_secrets(text, &KNOWN.read().unwrap_or_else(PoisonError::into_inner))
}

/// Hides the passwords of a command line in a text. Only `tests/fuzz` calls it.
pub(crate) fn hidden_in(arguments: &[&str], text: &str) -> String {
    let arguments = arguments.iter().map(OsString::from).collect();
    hide_secrets(text, &secrets_in_arguments(arguments)).into_owned()
}

/// Returns the passwords of a command line. An unquoted space splits one URL into two arguments.
fn secrets_in_arguments(arguments: Vec<OsString>) -> Vec<Secret> {
    let texts: Vec<_> = arguments.iter().map(|it| it.to_string_lossy().into_owned()).collect();
    let mut known = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        known.extend(secrets_in(text));
        if is_open(text) {
            known.extend(secrets_in_rest(texts.get(index + 1..).unwrap_or_default()));
        }
    }
    known
}

/// Returns the parts of a URL's password that became separate arguments, up to its `@`.
fn secrets_in_rest(texts: &[String]) -> Vec<Secret> {
    let Some(end) = texts.iter().position(|text| text.contains('@')) else { return Vec::new() };
    let rest = texts.iter().take(end + 1).map(|text| {
        // The messages quote a whole argument.
        let password = match text.rsplit_once('@') {
            Some((password, _)) => format!("{password}@"),
            None => format!("{text}'"),
        };
        Secret { before: "'".to_owned(), password, extent: Extent::Whole }
    });
    rest.collect()
}

/// Whether a text is a URL that ends before the `@` after its password.
fn is_open(text: &str) -> bool {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    !rest.contains('@') && rest.split_once(':').is_some_and(|(_, tail)| !tail.contains('/'))
}

/// Returns the passwords in one argument or one value.
fn secrets_in(text: &str) -> Vec<Secret> {
    let in_front = match text.split_once("://") {
        Some((scheme, _)) if is_file(scheme) => None,
        Some((_, rest)) => secret_in_authority(rest),
        None => secret_without_scheme(text),
    };
    in_front.into_iter().chain(secrets_in_parameters(text)).collect()
}

fn is_file(scheme: &str) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    scheme.ends_with("file")
        || scheme.rsplit(['=', '\'', '"', ' ']).next().is_some_and(|it| it.starts_with("sqlite"))
}

/// Returns the password between `://user:` and the last `@`. With several `@`, the end is
/// ambiguous.
fn secret_in_authority(rest: &str) -> Option<Secret> {
    let (user, tail) = rest.split_once(':')?;
    let password = match tail.rsplit_once('@') {
        Some((password, _)) => password,
        None => tail,
    };
    let host = user.rsplit_once('@').map_or(user, |(_, host)| host);
    let only_host =
        is_address(host, tail) || (user.contains('@') || !tail.contains('@')) && is_port(tail);
    let secret = Secret {
        before: format!("://{user}:"),
        password: password.to_owned(),
        extent: Extent::Prefix,
    };
    (!only_host && !password.is_empty()).then_some(secret)
}

/// Whether the texts before and after the first colon are an IPv6 address in brackets, with its port. What
/// is not an address may be a password.
fn is_address(host: &str, tail: &str) -> bool {
    let Some(start) = host.strip_prefix('[') else { return false };
    if host.contains(']') {
        return is_port(tail);
    }
    let Some((end, rest)) = tail.split_once(']') else { return false };
    let address = format!("{start}:{end}");
    let address = address.split('%').next().unwrap_or_default();
    address.parse::<Ipv6Addr>().is_ok()
        && match rest.strip_prefix(':') {
            Some(port) => is_port(port),
            None => rest.is_empty() || rest.starts_with(['/', '?']),
        }
}

/// Whether the text is a port, after the colon of a host.
fn is_port(tail: &str) -> bool {
    let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    tail.get(end..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// Returns the password of a URL without its scheme.
fn secret_without_scheme(text: &str) -> Option<Secret> {
    let (user, tail) = text.split_once(':')?;
    let (password, _) = tail.rsplit_once('@')?;
    let user = user.rsplit('=').next().unwrap_or_default();
    Some(Secret {
        before: format!("{user}:"),
        password: format!("{password}@"),
        extent: Extent::Whole,
    })
}

/// Returns the values of parameters whose names suggest a secret.
fn secrets_in_parameters(text: &str) -> impl Iterator<Item = Secret> {
    text.match_indices('=').filter_map(|(at, _)| {
        let (before, value) = (text.get(..at)?, text.get(at + 1..)?);
        let start = before.rfind(|c: char| !is_name(c)).map_or(0, |at| at + 1);
        let name = before.get(start..).filter(|name| is_secret(name))?;
        let password = value.split('&').next().filter(|it| !it.is_empty())?;
        Some(Secret {
            before: format!("{name}="),
            password: password.to_owned(),
            extent: Extent::Prefix,
        })
    })
}

fn is_name(c: char) -> bool {
    // A non-ASCII character counts as part of a name. So the character in front of a name is ASCII,
    // and the name starts one byte after it.
    c.is_ascii_alphanumeric() || c == '_' || c == '-' || !c.is_ascii()
}

/// Whether a parameter of this name holds a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token"].iter().any(|word| name.contains(word))
}

fn hide_secrets<'t>(text: &'t str, known: &[Secret]) -> Cow<'t, str> {
    let forms: Vec<Secret> = known.iter().flat_map(forms).collect();
    if !forms.iter().any(|form| text.contains(&form.before)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let (before, rest) = text.split_at(at);
        let length = forms.iter().map(|form| form.hidden(before, rest)).max().unwrap_or(0);
        // A password may begin in another one and end after it.
        if length > 0 && at >= end {
            safe.push_str(MASK);
        }
        end = end.max(at + length);
        if at >= end {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Returns a secret in all its forms: unchanged, as jetbase's and Rust's messages escape it, and
/// each of these in JSON.
fn forms(secret: &Secret) -> Vec<Secret> {
    let form = |escape: fn(&str) -> String| Secret {
        before: escape(&secret.before),
        password: escape(&secret.password),
        extent: secret.extent,
    };
    let plain = [form(str::to_owned), form(debug), form(quoted)];
    let json = plain.clone().map(|it| Secret {
        before: json(&it.before),
        password: json(&it.password),
        extent: it.extent,
    });
    let mut forms: Vec<Secret> = Vec::new();
    for form in plain.into_iter().chain(json) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn debug(text: &str) -> String {
    text.escape_debug().to_string()
}

fn quoted(text: &str) -> String {
    bare(&format!("{text:?}"))
}

fn json(text: &str) -> String {
    bare(&serde_json::Value::from(text).to_string())
}

fn bare(quoted: &str) -> String {
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

impl Secret {
    /// Returns how many bytes of `rest` to hide, given the text in front of it.
    fn hidden(&self, before: &str, rest: &str) -> usize {
        if !before.ends_with(&self.before) {
            return 0;
        }
        let same = self.password.char_indices().zip(rest.chars());
        let differs = same.clone().find(|((_, ours), theirs)| ours != theirs);
        let length = match differs {
            Some(((at, _), _)) => at,
            None => self.password.len().min(rest.len()),
        };
        match self.extent {
            Extent::Prefix => length,
            Extent::Whole if length < self.password.len() => 0,
            // The character that ends the password is shown.
            Extent::Whole => length - 1,
        }
    }
}
