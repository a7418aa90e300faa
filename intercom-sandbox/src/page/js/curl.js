// A request as a curl command. The page does not know the access token, so the command has `TOKEN`
// instead.

/** Headers that curl writes itself, or that are about the connection. */
const OMITTED_HEADERS = ["accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"];

export function command({ method, path, query, headers, body }) {
  const url = `${location.origin}${path}${query === null ? "" : `?${query}`}`;
  const lines = [`curl -i -X ${method} ${quoted(url)}`];
  for (const [name, value] of headers) {
    if (OMITTED_HEADERS.includes(name)) continue;
    lines.push(`-H ${quoted(`${name}: ${name === "authorization" ? "Bearer TOKEN" : value}`)}`);
  }
  if (body !== "") lines.push(`--data-binary ${quoted(body)}`);
  return lines.join(" \\\n  ");
}

/** A text in single quotes for a shell. */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
