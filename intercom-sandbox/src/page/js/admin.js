// The sandbox's admin API.

const JSON_TYPE = { "Content-Type": "application/json" };

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

/** Returns the answer, or throws the error of the sandbox. */
async function call(method, path, body) {
  let response;
  try {
    response = await fetch(`/_sandbox${path}`, {
      method,
      headers: method === "GET" ? {} : JSON_TYPE,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("the sandbox does not answer");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Error(answer.error ?? `the sandbox answered ${response.status}`);
  }
  return answer;
}
