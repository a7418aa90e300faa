//! What becomes of a connection that is one too many.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bare;
use super::site::Site;

/// How many are refused with an answer at a time. Those beyond are closed without one.
pub(super) const AT_A_TIME: usize = 64;

/// How long a client may take to hear of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers the first request with `503`, whatever it is.
pub(super) async fn refuse(mut stream: TcpStream, site: Arc<Site>) {
    let talk = async {
        // Before its request is there, a client does not expect an answer.
        stream.readable().await?;
        stream.write_all(&bare::too_many_connections(&site)).await?;
        stream.shutdown().await?;
        // A connection that is closed on what was sent would take the answer with it.
        while stream.read(&mut [0; 4096]).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Who does not listen is closed all the same.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
}
