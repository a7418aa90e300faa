// The live requests over server-sent events, and the state of the connection.
//
// The browser reconnects by itself, and sends the id of its last message. The browser gives up
// after an HTTP error; then this module opens a new connection.
//
// A browser opens at most six connections to one address. So a hidden page closes its stream, and a
// seventh page loads. A page that shows again resumes after its last message.

/** The failed connections in a row after which the page reports that the sandbox has stopped. */
const MAX_FAILURES = 3;
const RETRY_DELAY = 2000;

/** Calls `begin`, `update` and `connection` (with `live`, `reconnecting` or `ended`). */
export function follow({ begin, update, connection }) {
  let last = null;
  let failures = 0;
  let ended = false;
  let source = null;

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(`/_sandbox/feed${last ? `?after=${encodeURIComponent(last)}` : ""}`);
    source.addEventListener("open", () => {
      failures = 0;
      ended = false;
      connection("live");
    });
    source.addEventListener("begin", (event) => begin(JSON.parse(event.data)));
    source.addEventListener("update", (event) => {
      last = event.lastEventId;
      update(JSON.parse(event.data), event.data.length);
    });
    source.addEventListener("end", () => {
      ended = true;
      connection("ended");
    });
    source.addEventListener("error", () => {
      failures += 1;
      connection(ended || failures >= MAX_FAILURES ? "ended" : "reconnecting");
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(open, RETRY_DELAY);
      }
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  // The browser also hides a page in the back-forward cache.
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
