use super::*;

fn hidden(arguments: &[&str], text: &str) -> String {
    hidden_in(arguments, text)
}

#[test]
fn a_password_is_hidden_whatever_is_in_it() {
    for password in [
        "my pass",
        "it's",
        "say \"no\"",
        "a`b",
        "two\nlines",
        "a/b?c#d",
        "p@ss",
        "a:b",
        "%20%41",
        "back\\slash",
        "tab\tulator",
        "ключ",
        "a://b",
        "12345",
        "50% off\r",
    ] {
        let url = format!("postgres://u:{password}@h/db");
        let option = format!("--database-url={url}");
        for argument in [&url, &option] {
            let plain = format!("error: unexpected argument '{argument}' found");
            let json = serde_json::Value::from(plain.clone()).to_string();
            let escaped = plain.escape_debug().to_string();
            let both = serde_json::Value::from(escaped.clone()).to_string();
            for text in [plain.clone(), json, format!("{plain:?}"), escaped, both] {
                let safe = hidden(&["jetbase", "upgrade", argument], &text);
                assert!(safe.contains("postgres://u:***@h/db"), "{safe}");
                assert_eq!(safe.matches("***").count(), 1, "{safe}");
            }
        }
    }
}

#[test]
fn parameters_hold_passwords_too() {
    let url = "mysql://h/db?user=u&password=a 'b'&sslpassword=c&ssl-mode=off";
    assert_eq!(
        hidden(&[url], &format!("found {url}")),
        "found mysql://h/db?user=u&password=***&sslpassword=***&ssl-mode=off"
    );
    assert_eq!(hidden(&["host=h password=s e"], "'host=h password=s e'"), "'host=h password=***'");
}

#[test]
fn an_unquoted_blank_hides_both_parts() {
    let arguments = ["status", "postgres://u:my", "secret", "pass@h/db", "more"];
    for (text, safe) in [
        (
            "unexpected argument 'postgres://u:my' found",
            "unexpected argument 'postgres://u:***' found",
        ),
        ("unexpected argument 'secret' found", "unexpected argument '***' found"),
        ("unexpected argument 'pass@h/db' found", "unexpected argument '***@h/db' found"),
        ("unexpected argument 'more' found; secret", "unexpected argument 'more' found; secret"),
    ] {
        assert_eq!(hidden(&arguments, text), safe);
    }
}

#[test]
fn a_part_of_a_password_is_hidden() {
    assert_eq!(
        hidden(&["--postgres://u:a=b@h"], "'--postgres://u:a' found"),
        "'--postgres://u:***' found"
    );
    let two = ["postgres://u:abc@h", "postgres://u:abd@h"];
    assert_eq!(hidden(&two, "'postgres://u:abd@h'"), "'postgres://u:***@h'");
}

#[test]
fn what_is_no_password_stays() {
    for text in [
        "postgres://h:5432/db",
        "postgres://u@h:5432/db?application_name=a@b",
        "postgres://[::1]:5432/db",
        "postgres://u@[::1]:5432/db?application_name=a@b",
        "sqlite:///tmp/a:b@c.db",
        "--wait=5x",
        "--database-url=sqlite:///a:b@c",
        "C:\\folder",
        "postgres://h:5432",
        "1:2",
    ] {
        assert_eq!(hidden(&[text, "next"], text), text);
    }
}

#[test]
fn a_url_without_a_scheme_has_a_password_too() {
    assert_eq!(hidden(&["u:se cret@h/db"], "'u:se cret@h/db', u: s"), "'u:***@h/db', u: s");
    assert_eq!(hidden(&["--dir=u:s@h"], "'u:s@h'"), "'u:***@h'");
}
