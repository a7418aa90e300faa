// Formats JSON by inserting line breaks into the text. Parsing and writing the text again would
// lose repeated members, their order, and the digits of long numbers.

import { h, visible } from "./dom.js";

const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|"/gy;

/** The text with a member a line, in colour; `null` for text that is not JSON. */
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = text.match(TOKEN).filter((token) => token.trim() !== "");
  const nodes = [];
  let depth = 0;
  const newLine = () => nodes.push("\n" + "  ".repeat(depth));
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    switch (token) {
      case "{":
      case "[":
        nodes.push(token);
        depth += 1;
        if (next !== "}" && next !== "]") newLine();
        break;
      case "}":
      case "]":
        depth -= 1;
        if (tokens[index - 1] !== "{" && tokens[index - 1] !== "[") newLine();
        nodes.push(token);
        break;
      case ",":
        nodes.push(token);
        newLine();
        break;
      case ":":
        nodes.push(": ");
        break;
      default:
        nodes.push(h("span", { class: classOf(token, next) }, visible(token)));
    }
  });
  return nodes;
}

function classOf(token, next) {
  if (!token.startsWith('"')) return "json-literal";
  return next === ":" ? "json-key" : "json-text";
}
