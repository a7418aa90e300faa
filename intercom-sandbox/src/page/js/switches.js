// The faults that have a switch. Each says what is sent to the admin API to turn it on, and knows itself
// among the faults that stand.

/**
 * - `parameters`: fields by name, each with what it begins with; `{name}` is their place in `title`;
 * - `effect`: the fault as text, without its duration;
 * - `stands`: matches the effect of an active fault of this switch;
 * - `whole`: whether it changes the sandbox's state, and not single requests.
 */
export const SWITCHES = [
  {
    id: "outage",
    title: "Outage",
    about: "The sandbox answers every request with 503.",
    effect: () => "outage",
    stands: /^outage$/,
  },
  {
    id: "errors",
    title: "{status} for {percent} %",
    about: "The sandbox answers a share of the events with a server error. The seed picks them.",
    parameters: {
      status: { label: "Status", type: "select", options: ["500", "502", "503", "504"] },
      percent: { label: "Percent", type: "number", value: 20, min: 1, max: 100 },
    },
    effect: ({ status, percent }) => `${status} for ${percent}%`,
    stands: /^5\d\d$/,
  },
  {
    id: "limited",
    title: "429 for every event",
    about: "The sandbox answers 429, whatever is left of the budget.",
    effect: () => "429",
    stands: /^429$/,
  },
  {
    id: "limit",
    title: "Limit of {requests} in 10 s",
    about: "Changes the rate limit itself, in the headers and in the budget above.",
    parameters: { requests: { label: "Requests", type: "number", value: 5, min: 0 } },
    effect: ({ requests }) => `rate limit ${requests}`,
    stands: /^rate limit /,
    whole: true,
  },
  {
    id: "delay",
    title: "Delay of {seconds} s",
    about: "The answer to an event comes late.",
    parameters: { seconds: { label: "Seconds", type: "number", value: 2, min: 0.1, step: 0.1 } },
    effect: ({ seconds }) => `delay ${Math.round(seconds * 1000)}ms`,
    stands: /^delay /,
  },
  {
    id: "hang",
    title: "Hang",
    about: "No answer comes. The client must time out.",
    effect: () => "hang",
    stands: /^hang$/,
  },
  {
    id: "reset",
    title: "Connection reset",
    about: "The connection breaks instead of an answer.",
    effect: () => "reset",
    stands: /^reset$/,
  },
  {
    id: "lost",
    title: "Answer lost",
    about: "The sandbox accepts the event, and closes the connection without an answer.",
    effect: () => "hang up after acceptance",
    stands: /^hang up/,
  },
  {
    id: "truncate",
    title: "Truncated answer",
    about: "Half of the answer's body comes, then the connection ends.",
    effect: () => "truncate",
    stands: /^truncate$/,
  },
  {
    id: "html",
    title: "HTML page with {status}",
    about: "A proxy in front of the API may answer this.",
    parameters: { status: { label: "Status", type: "select", options: ["502", "503", "504"] } },
    effect: ({ status }) => `html ${status}`,
    stands: /^html /,
  },
  {
    id: "headers",
    title: "No rate-limit headers",
    about: "Answers do not say how much of the budget is left.",
    effect: () => "without rate-limit headers",
    stands: /^without rate-limit headers$/,
  },
  {
    id: "revoked",
    title: "Token revoked",
    about: "The sandbox answers every request with 401.",
    effect: () => "revoke token",
    stands: /^revoke token$/,
  },
];

/** How long a fault stays active: a clause of its text. */
export const EXTENTS = [
  { id: "lifted", label: "until it is lifted", clause: () => "" },
  { id: "next", label: "for the next", unit: "requests", value: 1, min: 1, clause: (value) => ` for next ${value}` },
  { id: "time", label: "for", unit: "seconds", value: 30, min: 1, clause: (value) => ` for ${value}s` },
];
