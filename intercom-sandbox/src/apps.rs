//! The apps that use the API. Each has its own credentials and rate limit, and all share the rate
//! limit of the workspace.

use std::time::SystemTime;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::rate_limit::{Budget, RateLimit};
use crate::refusal::Refusal;

/// All apps; at least one.
pub(crate) struct Apps {
    first: App,
    others: Vec<App>,
    workspace_limit: RateLimit,
}

/// An app: its credentials and its rate limit.
pub(crate) struct App {
    pub(crate) credentials: Credentials,
    pub(crate) rate_limit: RateLimit,
}

/// The result of counting a request in the rate limits.
pub(crate) struct RateCheck {
    /// The app's remaining budget; `None` without a limit.
    pub(crate) budget: Option<Budget>,
    /// The exceeded limit and the wait; `None` within both limits.
    pub(crate) exceeded: Option<ExceededLimit>,
}

/// An exceeded limit.
pub(crate) struct ExceededLimit {
    pub(crate) limit: u32,
    /// Seconds until the window ends.
    pub(crate) wait: u64,
    pub(crate) of_workspace: bool,
}

impl ExceededLimit {
    /// Returns the refusal of a request over the limit.
    pub(crate) fn refusal(&self) -> Refusal {
        let Self { limit, wait, of_workspace } = self;
        let hint = if *of_workspace {
            format!(
                "All apps together have used up the workspace's limit, whatever this app has left: \
                 send nothing for {wait} s, then slow down."
            )
        } else {
            format!(
                "Send nothing for {wait} s, until the window ends; pace requests by \
                 X-RateLimit-Remaining and X-RateLimit-Reset."
            )
        };
        Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            format!("Exceeded rate limit of {limit} in 10_seconds"),
        )
        .with_hint(hint)
    }
}

impl Apps {
    /// The other apps have only tokens, and each has the limit of the first app.
    pub(crate) fn new(
        first: Credentials,
        other_tokens: Vec<String>,
        limit: Option<u32>,
        workspace_limit: Option<u32>,
    ) -> Self {
        let app = |credentials| App { credentials, rate_limit: RateLimit::new(limit) };
        let others = other_tokens
            .into_iter()
            .map(|token| app(Credentials::of_token(token, first.app_id.clone())))
            .collect();
        Self { first: app(first), others, workspace_limit: RateLimit::new(workspace_limit) }
    }

    /// Returns the app of [`Sandbox::token`](crate::Sandbox::token).
    pub(crate) fn first(&self) -> &App {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &App> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(crate) fn workspace_limit(&self) -> &RateLimit {
        &self.workspace_limit
    }

    /// Returns the app of a request.
    ///
    /// # Errors
    /// `401` if the credentials fit no app.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<&App, Refusal> {
        const NONE: &str = "Send the header `Authorization: Bearer …` with the sandbox's access \
                            token, or app id and API key over HTTP Basic.";
        const OTHER_SCHEME: &str = "Begin the Authorization header with `Bearer ` and send the \
                                    access token after it; HTTP Basic works too, with app id and \
                                    API key.";
        const WRONG_TOKEN: &str = "Send the sandbox's access token: this token is another one.";
        const WRONG_KEY: &str = "Send the sandbox's app id and API key, or its access token as the \
                                 user name with no password.";
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(Refusal::unauthorized(NONE));
        };
        // Fast path: nearly all clients send a bearer token.
        let token = value.as_bytes().strip_prefix(b"Bearer ");
        if let Some(app) = self.all().find(|app| token == Some(app.credentials.token.as_bytes())) {
            return Ok(app);
        }
        let Some((scheme, secret)) = value.to_str().ok().and_then(|value| value.split_once(' '))
        else {
            return Err(Refusal::unauthorized(OTHER_SCHEME));
        };
        let secret = secret.trim();
        let (found, hint) = if scheme.eq_ignore_ascii_case("bearer") {
            (self.all().find(|app| app.credentials.token == secret), WRONG_TOKEN)
        } else if scheme.eq_ignore_ascii_case("basic") {
            (self.all().find(|app| app.credentials.matches_basic(secret)), WRONG_KEY)
        } else {
            (None, OTHER_SCHEME)
        };
        found.ok_or_else(|| Refusal::unauthorized(hint))
    }

    /// Counts a request of this app in both windows, the workspace's first. A request over the
    /// workspace's limit leaves the app's budget unchanged, which Intercom's users have seen.
    pub(crate) fn count(&self, app: &App, now: SystemTime) -> RateCheck {
        let of_workspace = self.workspace_limit.take(now);
        if let Some(budget) = &of_workspace
            && !budget.granted
        {
            let exceeded =
                ExceededLimit { limit: budget.limit, wait: budget.wait, of_workspace: true };
            return RateCheck { budget: app.rate_limit.peek(now), exceeded: Some(exceeded) };
        }
        let budget = app.rate_limit.take(now);
        let exceeded = budget.as_ref().filter(|budget| !budget.granted).map(|budget| {
            ExceededLimit { limit: budget.limit, wait: budget.wait, of_workspace: false }
        });
        RateCheck { budget, exceeded }
    }

    /// Lowers the limit of every app to this value; `None` ends the lowering.
    pub(crate) fn set_ceiling(&self, ceiling: Option<u32>) {
        for app in self.all() {
            app.rate_limit.set_ceiling(ceiling);
        }
    }
}

/// The accepted credentials: the access token, or the app id with its API key.
pub(crate) struct Credentials {
    pub(crate) token: String,
    pub(crate) app_id: String,
    pub(crate) api_key: String,
    /// App id and API key, as HTTP Basic encodes them.
    basic: Option<String>,
    /// The access token, as HTTP Basic encodes a user name without a password.
    basic_of_token: String,
}

impl Credentials {
    pub(crate) fn new(token: String, app_id: String, api_key: String) -> Self {
        let basic = Some(BASE64.encode(format!("{app_id}:{api_key}")));
        let basic_of_token = BASE64.encode(format!("{token}:"));
        Self { token, app_id, api_key, basic, basic_of_token }
    }

    /// Creates the credentials of an app without an API key, in the workspace of this app id.
    fn of_token(token: String, app_id: String) -> Self {
        let basic_of_token = BASE64.encode(format!("{token}:"));
        Self { token, app_id, api_key: String::new(), basic: None, basic_of_token }
    }

    /// Intercom's client for Ruby sends the access token as the user name of HTTP Basic.
    fn matches_basic(&self, pair: &str) -> bool {
        self.basic.as_deref() == Some(pair) || self.basic_of_token == pair
    }
}
