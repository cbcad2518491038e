//! Random files that a database accepts: the generator knows what it has created.

use jetbase_test_harness::DatabaseKind;

/// How the statements are written into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WritingStyle {
    /// For the client of the database: bodies of MySQL need `DELIMITER`.
    Client,
    /// `;` ends every statement.
    Semicolons,
    /// `-- jetbase: delimiter=//`.
    Slashes,
}

/// A file: comments and statements.
#[derive(Debug)]
pub(crate) struct Composition {
    kind: DatabaseKind,
    parts: Vec<FilePart>,
    pub(crate) style: WritingStyle,
}

#[derive(Debug)]
enum FilePart {
    Comment(String),
    Statement(String),
}

/// A small random number generator, so that a seed gives the same file on every machine.
struct RandomChoice(u64);

impl RandomChoice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<'a>(&mut self, options: &[&'a str]) -> &'a str {
        options[self.below(options.len())]
    }
}

/// Words that are hard to cut: each needs quotes.
const NAMES: [&str; 8] =
    ["plain", "two words", "semi;colon", "it's", "dash--dash", "/*open", "ÄÖ", "$tag$"];

/// Texts in strings and comments, without line ends.
const TEXTS: [&str; 12] = [
    "plain",
    "a;b",
    "it''s",
    "--no comment",
    "/*",
    "*/",
    "$$",
    "$a$;",
    "BEGIN",
    "# hash",
    "ключ; ",
    "\"`[",
];

/// How many statements a file has at least.
const LENGTH: usize = 18;

impl Composition {
    pub(crate) fn random(kind: DatabaseKind, seed: u64) -> Composition {
        let mut draft = CompositionDraft {
            kind,
            choice: RandomChoice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            tables: Vec::new(),
            views: Vec::new(),
            indexes: Vec::new(),
            count: 0,
            parts: Vec::new(),
        };
        draft.create_table();
        while draft.parts.len() < LENGTH {
            draft.add_part();
        }
        let style = if draft.choice.below(3) == 0 {
            WritingStyle::Slashes
        } else {
            WritingStyle::Semicolons
        };
        let style = if kind == DatabaseKind::Mysql && draft.choice.below(3) == 0 {
            WritingStyle::Client
        } else {
            style
        };
        Composition { kind, parts: draft.parts, style }
    }

    pub(crate) fn text(&self, style: WritingStyle) -> String {
        let mut text = String::new();
        if style == WritingStyle::Slashes {
            text.push_str("-- jetbase: delimiter=//\n");
        }
        for part in &self.parts {
            match part {
                FilePart::Comment(comment) => text.push_str(comment),
                FilePart::Statement(sql) => {
                    let has_body = self.kind == DatabaseKind::Mysql && sql.contains("BEGIN\n");
                    text.push_str(&match (style, has_body) {
                        (WritingStyle::Slashes, _) => format!("{sql}//"),
                        (WritingStyle::Client, true) => {
                            format!("DELIMITER $$\n{sql}$$\nDELIMITER ;")
                        }
                        _ => format!("{sql};"),
                    });
                }
            }
            text.push('\n');
        }
        text
    }
}

/// A composition that grows.
struct CompositionDraft {
    kind: DatabaseKind,
    choice: RandomChoice,
    /// The tables, quoted.
    tables: Vec<String>,
    views: Vec<String>,
    /// Each index with its table.
    indexes: Vec<(String, String)>,
    count: usize,
    parts: Vec<FilePart>,
}

impl CompositionDraft {
    fn add_part(&mut self) {
        match self.choice.below(12) {
            0 => self.create_table(),
            1 => self.add_column(),
            2 => self.create_index(),
            3 => self.create_view(),
            4 => self.create_trigger(),
            5 => self.create_function(),
            6 => self.comment_on(),
            7 => self.drop_something(),
            8 => self.add_comment(),
            _ => self.insert(),
        }
    }

    fn statement(&mut self, sql: String) {
        self.parts.push(FilePart::Statement(sql));
    }

    /// A new name that needs quotes.
    fn name(&mut self) -> String {
        self.count += 1;
        let name = format!("{}{}", self.choice.of(&NAMES), self.count);
        match self.kind {
            DatabaseKind::Mysql => format!("`{name}`"),
            DatabaseKind::Sqlite if self.choice.below(3) == 0 => format!("[{name}]"),
            _ => format!("\"{name}\""),
        }
    }

    fn table(&mut self) -> String {
        self.tables[self.choice.below(self.tables.len())].clone()
    }

    fn space(&mut self) -> &'static str {
        self.choice.of(&[" ", "\n  ", " /* in; between */ ", " -- the end; of a line\n", "\t"])
    }

    fn string(&mut self) -> String {
        let text = self.choice.of(&TEXTS);
        match self.kind {
            DatabaseKind::Postgres => match self.choice.below(4) {
                0 => format!("$q${}$q$", text.replace("''", "'")),
                1 => format!("E'{text}\\'\\\\;'"),
                _ => format!("'{text}'"),
            },
            DatabaseKind::Mysql => match self.choice.below(4) {
                0 => format!("\"{}\"", text.replace('"', "\"\"")),
                1 => format!("'{text}\\';\\\\'"),
                _ => format!("'{text}'"),
            },
            DatabaseKind::Sqlite => format!("'{text}\\'"),
        }
    }

    fn create_table(&mut self) {
        let (table, space, default) = (self.name(), self.space(), self.string());
        let sql = match self.kind {
            DatabaseKind::Mysql => {
                let comment = self.string();
                format!(
                    "CREATE TABLE {table}{space}(id INT PRIMARY KEY, note VARCHAR(200) DEFAULT {default} COMMENT {comment})"
                )
            }
            _ => format!(
                "CREATE TABLE {table}{space}(id INT PRIMARY KEY, note TEXT DEFAULT {default})"
            ),
        };
        self.tables.push(table);
        self.statement(sql);
    }

    fn add_column(&mut self) {
        let (table, column, space) = (self.table(), self.name(), self.space());
        self.statement(format!("ALTER TABLE {table}{space}ADD COLUMN {column} INT"));
    }

    fn create_index(&mut self) {
        let (table, index, space) = (self.table(), self.name(), self.space());
        let column = if self.choice.below(2) == 0 { "id" } else { "note" };
        self.statement(format!("CREATE INDEX {index}{space}ON {table} ({column})"));
        self.indexes.push((index, table));
    }

    fn create_view(&mut self) {
        let (table, view, space, text) = (self.table(), self.name(), self.space(), self.string());
        self.statement(format!(
            "CREATE VIEW {view} AS{space}SELECT id, {text} AS note FROM {table}"
        ));
        self.views.push(view);
    }

    fn create_trigger(&mut self) {
        let (table, trigger, text) = (self.table(), self.name(), self.string());
        match self.kind {
            DatabaseKind::Sqlite => self.statement(format!(
                "CREATE TRIGGER {trigger} AFTER INSERT ON {table} WHEN new.id < 0 BEGIN\n  UPDATE {table} SET note = \
                 CASE WHEN id > 0 THEN {text} ELSE note END;\n  SELECT 1; -- END;\nEND"
            )),
            DatabaseKind::Mysql => self.statement(format!(
                "CREATE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW\nBEGIN\n  IF NEW.id < 0 THEN\n    \
                 SET NEW.note = {text};\n  END IF;\n  /* BEGIN; */\nEND"
            )),
            DatabaseKind::Postgres => {
                let function = self.create_function_of("trigger", "RETURN NEW;");
                self.statement(format!(
                    "CREATE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
                ));
            }
        }
    }

    fn create_function(&mut self) {
        match self.kind {
            DatabaseKind::Postgres => {
                self.create_function_of("int", "RETURN 1;");
            }
            DatabaseKind::Mysql => {
                let (function, text) = (self.name(), self.string());
                self.statement(format!(
                    "CREATE PROCEDURE {function}()\nBEGIN\n  DECLARE n INT DEFAULT 0;\n  WHILE n < 2 DO\n    SET n = n + 1;\n  \
                     END WHILE;\n  SELECT CASE n WHEN 1 THEN {text} END; # end;\nEND"
                ));
            }
            DatabaseKind::Sqlite => self.insert(),
        }
    }

    /// A function of PostgreSQL. Returns its name.
    fn create_function_of(&mut self, result: &str, body: &str) -> String {
        let (function, text) = (self.name(), self.string().replace("$q$", "$r$"));
        let tag = self.choice.of(&["$fn$", "$_$", "$body$"]);
        self.statement(format!(
            "CREATE FUNCTION {function}() RETURNS {result} LANGUAGE plpgsql AS {tag}\nBEGIN\n  -- it's; {text}\n  \
             IF false THEN\n    RAISE NOTICE '%', {text};\n  END IF;\n  {body}\nEND;\n{tag}"
        ));
        function
    }

    fn comment_on(&mut self) {
        if self.kind == DatabaseKind::Postgres {
            let (table, space, text) = (self.table(), self.space(), self.string());
            self.statement(format!("COMMENT ON TABLE {table}{space}IS {text}"));
        } else {
            self.add_comment();
        }
    }

    fn drop_something(&mut self) {
        if let Some(view) = self.views.pop() {
            self.statement(format!("DROP VIEW {view}"));
        } else if let Some((index, table)) = self.indexes.pop() {
            let on = if self.kind == DatabaseKind::Mysql {
                format!(" ON {table}")
            } else {
                String::new()
            };
            self.statement(format!("DROP INDEX {index}{on}"));
        }
    }

    fn add_comment(&mut self) {
        let text = self.choice.of(&TEXTS).replace("*/", "").replace("/*", "");
        let comment = match self.choice.below(3) {
            // The client of MySQL does not see `DELIMITER` behind such a comment.
            0 if self.kind != DatabaseKind::Mysql => format!("/* {text}\n ; */"),
            1 if self.kind == DatabaseKind::Mysql => format!("# {text};"),
            _ => format!("-- {text};"),
        };
        self.parts.push(FilePart::Comment(comment));
    }

    fn insert(&mut self) {
        self.count += 1;
        let (table, count, space, text) = (self.table(), self.count, self.space(), self.string());
        self.statement(format!("INSERT INTO {table} (id, note){space}VALUES ({count}, {text})"));
    }
}
