// The faults with a switch. Each has its text for the admin API, and a pattern that finds it among
// the active faults.

/**
 * - `parameters`: fields by name, each with its initial value; `{name}` is their place in `title`;
 * - `effect`: the fault as text, without its duration;
 * - `matches`: matches the effect of an active fault of this switch;
 * - `isGlobal`: whether it changes the state of the sandbox, not single requests.
 */
export const SWITCHES = [
  {
    id: "outage",
    title: "Outage",
    about: "The sandbox answers every request with 503.",
    effect: () => "outage",
    matches: /^outage$/,
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
    matches: /^5\d\d$/,
  },
  {
    id: "limited",
    title: "429 for every event",
    about: "The sandbox answers 429, whatever the budget.",
    effect: () => "429",
    matches: /^429$/,
  },
  {
    id: "limit",
    title: "Limit of {requests} in 10 s",
    about: "Changes the rate limit itself, in the headers and in the budget above.",
    parameters: { requests: { label: "Requests", type: "number", value: 5, min: 0 } },
    effect: ({ requests }) => `rate limit ${requests}`,
    matches: /^rate limit /,
    isGlobal: true,
  },
  {
    id: "delay",
    title: "Delay of {seconds} s",
    about: "The answer to an event arrives late.",
    parameters: { seconds: { label: "Seconds", type: "number", value: 2, min: 0.1, step: 0.1 } },
    effect: ({ seconds }) => `delay ${Math.round(seconds * 1000)}ms`,
    matches: /^delay /,
  },
  {
    id: "hang",
    title: "Hang",
    about: "No answer arrives. The client must time out.",
    effect: () => "hang",
    matches: /^hang$/,
  },
  {
    id: "reset",
    title: "Connection reset",
    about: "The connection breaks instead of an answer.",
    effect: () => "reset",
    matches: /^reset$/,
  },
  {
    id: "lost",
    title: "Answer lost",
    about: "The sandbox accepts the event, and closes the connection without an answer.",
    effect: () => "hang up after acceptance",
    matches: /^hang up/,
  },
  {
    id: "truncate",
    title: "Truncated answer",
    about: "Half of the answer's body arrives, then the connection closes.",
    effect: () => "truncate",
    matches: /^truncate$/,
  },
  {
    id: "html",
    title: "HTML page with {status}",
    about: "A proxy in front of the API may answer this.",
    parameters: { status: { label: "Status", type: "select", options: ["502", "503", "504"] } },
    effect: ({ status }) => `html ${status}`,
    matches: /^html /,
  },
  {
    id: "headers",
    title: "No rate-limit headers",
    about: "Answers do not say how much of the budget is left.",
    effect: () => "without rate-limit headers",
    matches: /^without rate-limit headers$/,
  },
  {
    id: "revoked",
    title: "Token revoked",
    about: "The sandbox answers every request with 401.",
    effect: () => "revoke token",
    matches: /^revoke token$/,
  },
];

/** The durations of a fault, each a clause of its text. */
export const DURATIONS = [
  { id: "lifted", label: "until you remove it", clause: () => "" },
  { id: "next", label: "for the next", unit: "requests", value: 1, min: 1, clause: (value) => ` for next ${value}` },
  { id: "time", label: "for", unit: "seconds", value: 30, min: 1, clause: (value) => ` for ${value}s` },
];
