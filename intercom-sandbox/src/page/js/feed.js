// What comes in, live, over server-sent events; and whether the sandbox is still there.
//
// The browser connects again by itself and says how far it had read. Only where it gives up, because
// something else answered, is a new connection opened here.
//
// A browser opens six connections to one address, and a stream keeps one of them: while nobody sees the
// page its stream is closed, so that a seventh page loads. It goes on where it was.

/** How often connecting may fail before the sandbox is taken to have ended. */
const TRIES = 3;
const AGAIN_AFTER = 2000;

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
      connection(ended || failures >= TRIES ? "ended" : "reconnecting");
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(open, AGAIN_AFTER);
      }
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  // A page that the browser keeps for the way back is not seen either.
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
