// A request as a command for a shell. The access token is not known here: `TOKEN` stands for it.

/** Headers that curl writes itself, or that were the connection's. */
const ITS_OWN = ["accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"];

export function command({ method, path, query, headers, body }) {
  const url = `${location.origin}${path}${query === null ? "" : `?${query}`}`;
  const lines = [`curl -i -X ${method} ${quoted(url)}`];
  for (const [name, value] of headers) {
    if (ITS_OWN.includes(name)) continue;
    lines.push(`-H ${quoted(`${name}: ${name === "authorization" ? "Bearer TOKEN" : value}`)}`);
  }
  if (body !== "") lines.push(`--data-binary ${quoted(body)}`);
  return lines.join(" \\\n  ");
}

/** Between single quotes, as a shell reads it. */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
