//! A private server for the benchmark, proxies in front of it, and its counters.
//!
//! `speed-server postgres` or `speed-server mysql` starts a server and answers `ok VERSION`. With the
//! argument `counting`, PostgreSQL also counts statements, which costs time. Then the program reads one
//! command a line, until its input ends:
//!
//! | command | what it does | answer |
//! |---|---|---|
//! | `port` | | `ok PORT` |
//! | `create NAME`, `drop NAME` | creates or drops a database | `ok` |
//! | `statements` | reads how many statements the server has executed | `ok N`, or `ok` if it does not count |
//! | `value NAME SQL` | runs SQL in a database | `ok` and the first value |
//! | `proxy MICROSECONDS` | starts a proxy that adds this time to a round trip | `ok PORT` |
//! | `reset PORT` | sets the counts of a proxy to zero | `ok` |
//! | `counts PORT` | reads them | `ok ROUND_TRIPS BYTES_UP BYTES_DOWN MESSAGES_UP MESSAGES_DOWN CONNECTIONS` |
//! | `sent PORT` | what the client has sent since the reset, at most a megabyte | `ok` and the escaped text |

mod frames;
mod proxy;
mod started_server;

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write as _};
use std::time::Duration;

use jetbase_test_harness::{TestError, clean_up};

use crate::frames::WireProtocol;
use crate::proxy::CountingProxy;
use crate::started_server::StartedServer;

struct Bench {
    server: StartedServer,
    proxies: BTreeMap<u16, CountingProxy>,
}

impl Bench {
    fn obey(&mut self, line: &str) -> Result<String, TestError> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "port" => return Ok(self.server.port().to_string()),
            "create" => self.server.create(rest)?,
            "drop" => self.server.drop_database(rest)?,
            "statements" => {
                return Ok(self.server.statements()?.map(|it| it.to_string()).unwrap_or_default());
            }
            "value" => {
                let (database, sql) =
                    rest.split_once(' ').ok_or("`value` needs a database and SQL")?;
                return self.server.value(database, sql);
            }
            "proxy" => {
                let delay = Duration::from_micros(rest.parse()?);
                let proxy =
                    CountingProxy::start(self.server.port(), delay, self.server.protocol())?;
                let port = proxy.port();
                self.proxies.insert(port, proxy);
                return Ok(port.to_string());
            }
            "reset" => self.proxy(rest)?.reset(),
            "counts" => return Ok(self.proxy(rest)?.counts().to_string()),
            "sent" => return Ok(self.proxy(rest)?.sent().escape_ascii().to_string()),
            _ => return Err(format!("not a command: {line}").into()),
        }
        Ok(String::new())
    }

    fn proxy(&self, port: &str) -> Result<&CountingProxy, TestError> {
        Ok(self.proxies.get(&port.parse()?).ok_or("no proxy has this port")?)
    }
}

fn serve(arguments: &[String]) -> Result<(), TestError> {
    let protocol = match arguments.first().map(String::as_str) {
        Some("mysql") => WireProtocol::Mysql,
        Some("postgres") => WireProtocol::Postgres,
        _ => return Err("the first argument is `mysql` or `postgres`".into()),
    };
    let counting = arguments.get(1).is_some_and(|argument| argument == "counting");
    let server = StartedServer::start(protocol, counting)?;
    answer(&format!("ok {}", server.version()?))?;
    let mut bench = Bench { server, proxies: BTreeMap::new() };
    for line in io::stdin().lock().lines() {
        match bench.obey(&line?) {
            Ok(text) => answer(&format!("ok {text}"))?,
            Err(error) => answer(&format!("error {}", format!("{error:#}").replace('\n', " | ")))?,
        }
    }
    Ok(())
}

fn answer(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", line.trim_end())?;
    out.flush()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = serve(&arguments) {
        // If nobody reads the answer, there is nobody to tell.
        let _ = answer(&format!("error {}", format!("{error:#}").replace('\n', " | ")));
    }
    clean_up();
}
