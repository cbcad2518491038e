//! A program with its own command line (clap derive) that has the commands of jetbase too.
//!
//! `cargo run --example embedded_cli -- migrate upgrade --database-url sqlite:///app.db`
//! `cargo run --example embedded_cli -- greet --name Ann`

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

jetbase::embed!();

/// A program that greets
#[derive(Debug, Parser)]
#[command(name = "embedded_cli")]
struct App {
    #[command(subcommand)]
    command: AppCommand,
}

#[derive(Debug, Subcommand)]
enum AppCommand {
    /// Print a greeting
    Greet {
        /// Whom to greet
        #[arg(long)]
        name: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let migrate = migrations::cli();
    // The commands of jetbase are one more subcommand, `migrate`, beside those of the derive.
    let matches = App::command().subcommand(migrate.command()).get_matches();
    if let Some(("migrate", matches)) = matches.subcommand() {
        return migrate.handle_url(matches).await;
    }
    match App::from_arg_matches(&matches) {
        Ok(App { command: AppCommand::Greet { name } }) => {
            println!("Hello, {name}");
            ExitCode::SUCCESS
        }
        Err(error) => error.exit(),
    }
}
