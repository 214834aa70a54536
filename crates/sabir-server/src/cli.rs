//! The command `sabir`: serves the gateway, checks its configuration, reads its ledger, measures it.
//!
//! Invariants: arguments win over the environment, the environment over the configuration; it ends by
//! returning, so that a process with more to do than this (an interpreter) can do it.

use std::{
    ffi::OsString,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use sabir_engine::{
    Engine,
    config::{Config, Durability, Source, env::Env, watch},
};
use sabir_store::{Ledger, SqliteLedger, sqlite};
use tokio::{net::TcpListener, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{app::App, bench, config_command, doors, ledger_command, prices_command, providers_command, serve};

const SUCCESS: u8 = 0;
const FAILURE: u8 = 1;

/// Call any model, from any client, through one door you own, and keep every word of it.
#[derive(Debug, Parser)]
#[command(name = "sabir", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the gateway.
    Serve(ServeArgs),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Read the ledger.
    Ledger {
        #[command(flatten)]
        data: DataDir,
        #[command(flatten)]
        args: ledger_command::LedgerArgs,
    },
    /// Show the providers, what each can do, and whether there is a key for it.
    Providers {
        #[command(flatten)]
        args: providers_command::ProvidersArgs,
        /// Also read variables from this file; what is set already stays.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
    },
    /// Show what calls cost by list.
    Prices {
        #[command(flatten)]
        args: prices_command::PricesArgs,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Measure what the gateway adds to a direct call.
    Bench(bench::BenchArgs),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Load the configuration and say what is wrong with it, and what has no effect.
    Check(ConfigArgs),
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// Configuration files: a path or a glob, also several times. Without any, `sabir.toml` is read if it is there.
    #[arg(long, visible_alias = "config-file", value_name = "PATH", env = "SABIR_CONFIG", value_delimiter = ',')]
    config: Vec<String>,
    /// Also read variables from this file; what is set already stays.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct DataDir {
    /// Where the ledger is kept.
    #[arg(long, value_name = "DIR", env = "SABIR_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    data: DataDir,
    /// Where to listen. Without a key for the gateway (`SABIR_API_KEY`), say it to listen beyond this machine.
    #[arg(long, visible_alias = "bind-address", value_name = "ADDR", env = "SABIR_BIND")]
    bind: Option<SocketAddr>,
    /// Also serve the Model Manager's clients, over gRPC, here (they look for port 50051).
    #[arg(long, value_name = "ADDR", env = "SABIR_GRPC_BIND")]
    grpc_bind: Option<SocketAddr>,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "SABIR_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// For people.
    #[value(alias = "pretty")]
    Text,
    /// One object per line.
    Json,
}

/// Runs the command with these arguments, the first of which is its name; 0 if all is well.
///
/// `program` is how the command is started again for what needs processes of its own; without it, it
/// is this process's program.
pub fn run(args: impl IntoIterator<Item = OsString>, program: Option<Vec<OsString>>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(told) => {
            // Help is told this way too. There is nobody to tell that it could not be told.
            drop(told.print());
            return u8::try_from(told.exit_code()).unwrap_or(1);
        }
    };
    let outcome = match cli.command {
        Command::Serve(args) => serve_command(args).map(|()| SUCCESS),
        Command::Config(ConfigCommand::Check(args)) => check(&args),
        Command::Ledger { data, args } => {
            let dir = data.data_dir.unwrap_or_else(default_data_dir);
            ledger_command::run(&args, &dir, &mut io::stdout().lock()).map(|()| SUCCESS)
        }
        Command::Providers { args, env_file } => environment(env_file.as_deref())
            .and_then(|env| providers_command::run(&args, &env, &mut io::stdout().lock()))
            .map(|()| SUCCESS),
        Command::Prices { args, config } => config
            .env()
            .and_then(|env| prices_command::run(&args, &config.sources(), &env, &mut io::stdout().lock()))
            .map(|()| SUCCESS),
        Command::Bench(args) => bench::run(args, program).map(|()| SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        // A reader that has seen enough closes the pipe; that is not a failure.
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
            return SUCCESS;
        }
        say(&mut io::stderr(), &format!("error: {error:#}"));
        FAILURE
    })
}

/// Writes a line; there is nobody to tell when that fails.
fn say(out: &mut dyn Write, line: &str) {
    drop(writeln!(out, "{line}").and_then(|()| out.flush()).err());
}

fn environment(file: Option<&Path>) -> Result<Env> {
    let env = Env::snapshot();
    match file {
        None => Ok(env),
        Some(path) => env.with_dotenv(path).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn default_data_dir() -> PathBuf {
    PathBuf::from(".sabir")
}

impl ConfigArgs {
    fn env(&self) -> Result<Env> {
        environment(self.env_file.as_deref())
    }

    fn sources(&self) -> Vec<Source> {
        if self.config.is_empty() && Path::new("sabir.toml").exists() {
            return vec![Source::Files("sabir.toml".into())];
        }
        self.config.iter().cloned().map(Source::Files).collect()
    }
}

fn check(args: &ConfigArgs) -> Result<u8> {
    let is_good = config_command::check(&args.sources(), &args.env()?, &mut io::stdout().lock())?;
    Ok(if is_good { SUCCESS } else { FAILURE })
}

fn serve_command(args: ServeArgs) -> Result<()> {
    let env = args.config.env()?;
    let sources = args.config.sources();
    let config = match Config::load(&sources, &env) {
        Ok(config) => config,
        Err(problems) => bail!("the configuration is wrong:\n{problems}"),
    };
    log(&env, args.log_format, config.gateway.debug)?;
    for note in &config.notes {
        tracing::info!(%note, "configuration");
    }
    let bind = address(args.bind, &config)?;
    let grpc_bind = grpc_address(args.grpc_bind, &config)?;
    let ledger = ledger(&config, args.data.data_dir)?;
    // Two threads do for two cores; more of them only hand work to each other.
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let rows: Option<Arc<dyn Ledger>> = ledger.clone().map(|ledger| ledger as Arc<dyn Ledger>);
    runtime.block_on(serve_all(config, env, sources, Ports { bind, grpc_bind }, rows))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    if let Some(ledger) = ledger {
        ledger.close();
    }
    Ok(())
}

/// Where to listen.
struct Ports {
    bind: SocketAddr,
    grpc_bind: Option<SocketAddr>,
}

async fn serve_all(
    config: Config,
    env: Env,
    sources: Vec<Source>,
    Ports { bind, grpc_bind }: Ports,
    ledger: Option<Arc<dyn Ledger>>,
) -> Result<()> {
    let grace = config.gateway.shutdown_grace;
    let max_streams = config.gateway.grpc.max_concurrent_streams;
    let tls = match &config.gateway.grpc.tls {
        Some((cert, key)) if grpc_bind.is_some() => Some(serve::tls(cert, key)?),
        _ => None,
    };
    let engine = Engine::new(config, &env, ledger.clone()).context("the engine could not be started")?;
    let listener = TcpListener::bind(bind).await.with_context(|| format!("cannot listen on {bind}"))?;
    let address = listener.local_addr().context("the listener has no address")?;
    let reloading = engine.clone();
    let watcher = watch(sources, env, move |loaded| match loaded {
        Ok(config) => {
            tracing::info!(hash = %config.hash, "the configuration was loaded anew");
            reloading.replace_config(config);
        }
        Err(problems) => tracing::error!(%problems, "the configuration is wrong: the old one stays"),
    });
    let app = App::new(engine.clone());
    let router = serve::router(app.clone());
    if let Some(tasks) = engine.tasks() {
        tasks.start();
    }
    let stop = CancellationToken::new();
    let grpc = match grpc_bind {
        None => None,
        Some(bind) => {
            let listener = TcpListener::bind(bind).await.with_context(|| format!("cannot listen on {bind}"))?;
            let address = listener.local_addr().context("the listener has no address")?;
            let router = doors::model_manager::router(app).await?;
            Some((
                address,
                serve::serve_grpc(listener, tls, max_streams, router, stop.clone().cancelled_owned(), grace),
            ))
        }
    };
    let stopped = stopped()?;
    say(&mut io::stdout(), &format!("sabir listening on http://{address}"));
    let grpc = grpc.map(|(address, serving)| {
        say(&mut io::stdout(), &format!("sabir grpc listening on {address}"));
        tokio::spawn(serving)
    });
    let both = async {
        stopped.await;
        stop.cancel();
    };
    // Tasks get the same period as the callers that wait, at the same time.
    let tasks = async {
        stop.cancelled().await;
        if let Some(tasks) = engine.tasks() {
            tasks.shutdown(grace).await;
        }
    };
    tokio::join!(serve::serve(listener, router, both, grace), tasks);
    if let Some(grpc) = grpc {
        grpc.await.context("the gRPC port broke")?;
    }
    drop(watcher);
    if let Some(ledger) = ledger {
        ledger.flush().await.context("the ledger could not be flushed")?;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Resolves at the first SIGTERM, SIGINT or SIGHUP.
fn stopped() -> Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be waited for")?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Where to listen: on this machine only, unless there is a key or somebody says otherwise.
fn address(asked: Option<SocketAddr>, config: &Config) -> Result<SocketAddr> {
    if let Some(asked) = asked {
        if !asked.ip().is_loopback() && config.gateway.api_keys.is_empty() {
            tracing::warn!(%asked, "anybody who reaches this address can call models at your expense: set SABIR_API_KEY");
        }
        return Ok(asked);
    }
    match config.gateway.bind_address {
        Some(address) if !address.ip().is_loopback() && config.gateway.api_keys.is_empty() => {
            bail!(
                "gateway.bind_address is {address}, but the gateway has no key: set SABIR_API_KEY, or say `--bind {address}` to serve everybody"
            )
        }
        Some(address) => Ok(address),
        None => Ok(SocketAddr::from(([127, 0, 0, 1], 3000))),
    }
}

/// Where the Model Manager door listens: nowhere, unless somebody says so.
fn grpc_address(asked: Option<SocketAddr>, config: &Config) -> Result<Option<SocketAddr>> {
    let open = !config.gateway.grpc.takes_tokens() && config.gateway.api_keys.is_empty();
    match (asked, config.gateway.grpc.bind_address) {
        (Some(asked), _) => {
            if open && !asked.ip().is_loopback() {
                tracing::warn!(%asked, "anybody who reaches this address can call models at your expense: set MODEL_MANAGER_SERVER_JWT_SECRET_KEY");
            }
            Ok(Some(asked))
        }
        (None, Some(address)) if open && !address.ip().is_loopback() => bail!(
            "gateway.grpc.bind_address is {address}, but there is no secret for tokens: set MODEL_MANAGER_SERVER_JWT_SECRET_KEY, or say `--grpc-bind {address}` to serve everybody"
        ),
        (None, address) => Ok(address),
    }
}

fn ledger(config: &Config, data_dir: Option<PathBuf>) -> Result<Option<Arc<SqliteLedger>>> {
    if config.gateway.durability == Durability::Off {
        return Ok(None);
    }
    let dir = data_dir.or_else(|| config.gateway.data_dir.clone()).unwrap_or_else(default_data_dir);
    let options = sqlite::Options {
        sync_to_disk: config.gateway.sync_to_disk,
        wait: config.gateway.durability == Durability::Durable,
    };
    let file = dir.join(ledger_command::FILE);
    let ledger = SqliteLedger::open(&file, options).with_context(|| format!("no ledger at {}", file.display()))?;
    Ok(Some(ledger))
}

fn log(env: &Env, format: LogFormat, debug: bool) -> Result<()> {
    let usual = if debug { "info,sabir_engine=debug,sabir_server=debug" } else { "info" };
    let filter = EnvFilter::try_new(env.get("SABIR_LOG").or_else(|| env.get("RUST_LOG")).unwrap_or(usual))
        .context("SABIR_LOG is not a filter (`info`, `sabir_engine=debug`)")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
