//! What ends a statement, and the `DELIMITER` lines that change it.

/// What ends a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// The default: a `;` outside bodies.
    Semicolon,
    /// The delimiter of a file: the last thing on its line.
    LineEnd(String),
    /// The delimiter of a `DELIMITER` line: anywhere.
    Anywhere(String),
    /// None: the whole text is read as one piece.
    TextEnd,
}

impl Delimiter {
    pub(super) fn of_file(name: &str) -> Self {
        match name.trim() {
            "" | ";" => Delimiter::Semicolon,
            name => Delimiter::LineEnd(name.to_owned()),
        }
    }

    fn of_client(name: &str) -> Self {
        match name {
            ";" => Delimiter::Semicolon,
            name => Delimiter::Anywhere(name.to_owned()),
        }
    }

    fn name(&self) -> &str {
        match self {
            Delimiter::Semicolon => ";",
            Delimiter::LineEnd(name) | Delimiter::Anywhere(name) => name,
            Delimiter::TextEnd => "",
        }
    }

    /// Where the delimiter at this place ends, with the blanks after it when
    /// it must end a line.
    pub(super) fn end_at(&self, text: &str, at: usize) -> Option<usize> {
        match self {
            Delimiter::Semicolon => {
                return matches!(text.as_bytes().get(at), Some(b';')).then_some(at + 1);
            }
            Delimiter::TextEnd => return None,
            Delimiter::LineEnd(_) | Delimiter::Anywhere(_) => {}
        }
        let (before, here) = text.split_at_checked(at)?;
        let after = here.strip_prefix(self.name())?;
        let stuck_before = self.name().starts_with(is_word) && before.ends_with(is_word);
        let stuck_behind = self.name().ends_with(is_word) && after.starts_with(is_word);
        if stuck_before || stuck_behind {
            return None;
        }
        if matches!(self, Delimiter::Anywhere(_)) {
            return Some(text.len() - after.len());
        }
        let next = after.trim_start_matches(is_line_blank);
        (next.is_empty() || next.starts_with('\n')).then_some(text.len() - next.len())
    }

    /// The offsets inside a word where the delimiter may begin.
    pub(super) fn starts_in(&self, word: &str) -> impl Iterator<Item = usize> {
        let first = self.name().chars().next().filter(|&first| !is_word(first));
        word.char_indices().skip(1).filter(move |&(_, c)| Some(c) == first).map(|(at, _)| at)
    }
}

/// The delimiter and the line end of a `DELIMITER` command whose first word
/// ends at this place.
pub(super) fn client_command(text: &str, at: usize) -> Option<(Delimiter, usize)> {
    let arguments = text.get(at..)?.strip_prefix(is_line_blank)?.trim_start_matches(is_line_blank);
    let length = arguments.find(char::is_whitespace).unwrap_or(arguments.len());
    let (name, behind) = arguments.split_at_checked(length).filter(|(name, _)| !name.is_empty())?;
    let rest = behind.trim_start_matches(is_line_blank);
    let line = match rest {
        _ if rest.starts_with('#') || rest.starts_with("-- ") => {
            rest.find('\n').unwrap_or(rest.len())
        }
        _ if rest.is_empty() || rest.starts_with('\n') => 0,
        _ => return None,
    };
    Some((Delimiter::of_client(name), text.len() - rest.len() + line))
}

/// Letters and digits: a delimiter such as `GO` is not the tail of `LOGO`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The blanks that the Python tool strips from the end of a line.
fn is_line_blank(c: char) -> bool {
    c != '\n' && (c.is_whitespace() || matches!(c, '\x1c'..='\x1f'))
}
