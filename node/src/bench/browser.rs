//! A Chromium without a window, driven through the DevTools protocol over a pipe.

use crate::failure::{Failure, Kind};
use serde_json::{Value, json};
use std::{io, path::Path, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// The name under which it is looked for.
pub const CHROMIUM: &str = "chromium";
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The DevTools protocol is spoken on file descriptors 3 and 4, which only a shell can connect.
const START: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
/// Nothing but a page of this machine is opened, so the sandbox, which containers and root lack, may be off.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
];

/// A running browser. It ends when dropped.
#[derive(Debug)]
pub struct Browser {
    _child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    next: u64,
    _profile: TempDir,
}

/// A page of a browser.
#[derive(Clone, Debug)]
pub struct Page {
    session: String,
}

impl Browser {
    /// Starts the browser of this name.
    ///
    /// # Errors
    /// If there is none, or it does not start.
    pub async fn start(program: &Path) -> Result<Browser, Failure> {
        let profile = tempfile::Builder::new()
            .prefix("hamlet-browser-")
            .tempdir()
            .map_err(|error| failed(program, error))?;
        let mut child = Command::new("sh")
            .args(["-c", START])
            .arg(program)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(program, error))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(program, "its pipes are not connected"));
        };
        let mut browser = Browser {
            _child: child,
            requests,
            answers: BufReader::new(answers),
            next: 0,
            _profile: profile,
        };
        let version = browser.call("Browser.getVersion", json!({}), None).await;
        version.map(|_| browser).map_err(|error| {
            failed(
                program,
                format!(
                    "{error}; install it (apt install chromium), or say where it is with --chromium"
                ),
            )
        })
    }

    /// Opens a page, in which `early` runs before any script of its own.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn open(&mut self, url: &str, early: &str) -> Result<Page, Failure> {
        let opened = async {
            let target = json!({ "url": "about:blank" });
            let target = self.call("Target.createTarget", target, None).await?;
            let attach = json!({ "targetId": target["targetId"], "flatten": true });
            let attached = self.call("Target.attachToTarget", attach, None).await?;
            let session = attached["sessionId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let page = Page { session };
            let session = Some(&page);
            self.call("Page.enable", json!({}), session).await?;
            let early = json!({ "source": early });
            self.call("Page.addScriptToEvaluateOnNewDocument", early, session)
                .await?;
            self.call("Page.navigate", json!({ "url": url }), session)
                .await?;
            Ok::<_, io::Error>(page)
        };
        opened.await.map_err(|error| failed(Path::new(url), error))
    }

    /// The value of an expression in a page, awaited if it is a promise.
    ///
    /// # Errors
    /// If the browser does not answer, or the expression throws.
    pub async fn evaluate(&mut self, page: &Page, expression: &str) -> Result<Value, Failure> {
        let evaluated = async {
            let request =
                json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
            let mut answer = self.call("Runtime.evaluate", request, Some(page)).await?;
            match answer["exceptionDetails"].is_null() {
                true => Ok(answer["result"]["value"].take()),
                false => Err(io::Error::other(answer["exceptionDetails"].to_string())),
            }
        };
        evaluated
            .await
            .map_err(|error| failed(Path::new("the page"), error))
    }

    /// Closes a page.
    ///
    /// # Errors
    /// If the browser does not answer.
    pub async fn close(&mut self, page: &Page) -> Result<(), Failure> {
        let closed = self.call("Page.close", json!({}), Some(page)).await;
        closed
            .map(drop)
            .map_err(|error| failed(Path::new("the page"), error))
    }

    async fn call(
        &mut self,
        method: &str,
        params: Value,
        page: Option<&Page>,
    ) -> io::Result<Value> {
        self.next += 1;
        let id = self.next;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(page) = page {
            request["sessionId"] = page.session.clone().into();
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.requests.write_all(&bytes).await?;
        let answered = timeout(PATIENCE, async {
            loop {
                let mut bytes = Vec::new();
                if self.answers.read_until(0, &mut bytes).await? == 0 {
                    return Err(io::Error::other("it has ended"));
                }
                bytes.pop();
                let mut answer: Value = serde_json::from_slice(&bytes)?;
                if answer["id"] == id {
                    return match answer["error"]["message"].as_str() {
                        Some(message) => Err(io::Error::other(message.to_owned())),
                        None => Ok(answer["result"].take()),
                    };
                }
            }
        });
        answered
            .await
            .map_err(|_| io::Error::other("it does not answer"))?
    }
}

fn failed(what: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Failed, format!("{}: {error}", what.display()))
}
