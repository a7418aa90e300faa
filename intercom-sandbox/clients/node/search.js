// Searching contacts, and the list of all.
"use strict";

const assert = require("node:assert/strict");
const { check, refused } = require("./checks.js");

module.exports = async (client) => {
  const people = [
    { external_id: "search-1", email: "ada@search.example", name: "Ada Lovelace" },
    { external_id: "search-2", email: "grace@search.example", name: "Grace Hopper" },
    { external_id: "search-3", email: "mary@search.example", name: "Mary Somerville" },
    { role: "lead", email: "lead@search.example", name: "Ada Byron" },
  ];
  const everybody = people.map(({ name }) => name).sort();
  const here = { field: "email", operator: "~", value: "@search.example" };
  const find = async (query) => names(await client.contacts.search({ query }));
  const findHere = (filter) => find({ operator: "AND", value: [here, filter] });

  await check("search: one filter", async () => {
    for (const person of people) await client.contacts.create(person);
    const page = await client.contacts.search({
      query: { field: "email", operator: "=", value: "grace@search.example" },
    });
    assert.equal(page.response.type, "list");
    assert.equal(page.response.total_count, 1);
    assert.equal(page.data[0].type, "contact");
    assert.equal(page.data[0].external_id, "search-2");
    assert.equal(page.hasNextPage(), false);
    assert.deepEqual(await find({ field: "external_id", operator: "=", value: "nobody" }), []);
  });

  await check("search: every operator", async () => {
    const found = [
      ["external_id", "=", "search-1", ["Ada Lovelace"]],
      ["role", "!=", "user", ["Ada Byron"]],
      ["external_id", "IN", ["search-1", "search-3"], ["Ada Lovelace", "Mary Somerville"]],
      ["name", "NIN", ["Ada Byron", "Grace Hopper"], ["Ada Lovelace", "Mary Somerville"]],
      ["created_at", ">", 1000000000, everybody],
      ["created_at", "<", 1000000000, []],
      ["name", "~", "race", ["Grace Hopper"]],
      ["name", "!~", "Ada", ["Grace Hopper", "Mary Somerville"]],
      ["name", "^", "Ada", ["Ada Byron", "Ada Lovelace"]],
      ["name", "$", "ville", ["Mary Somerville"]],
    ];
    for (const [field, operator, value, expected] of found) {
      const filter = { field, operator, value };
      assert.deepEqual(await findHere(filter), expected, JSON.stringify(filter));
    }
  });

  await check("search: AND and OR, nested", async () => {
    const ada = { field: "name", operator: "^", value: "Ada" };
    const mary = { field: "name", operator: "^", value: "Mary" };
    const user = { field: "role", operator: "=", value: "user" };
    const adaOrMary = { operator: "OR", value: [ada, mary] };
    const hereAndUser = { operator: "AND", value: [here, user] };
    const expected = ["Ada Lovelace", "Mary Somerville"];
    assert.deepEqual(await find({ operator: "AND", value: [hereAndUser, adaOrMary] }), expected);
  });

  await check("search: pages of two, to the end", async () => {
    const page = await client.contacts.search({ query: here, pagination: { per_page: 2 } });
    assert.equal(page.data.length, 2);
    assert.equal(page.response.pages.total_pages, 2);
    assert.equal(page.hasNextPage(), true);
    assert.deepEqual(await names(page), everybody);
  });

  await check("search: an unknown operator is refused", () =>
    refused(() => client.contacts.search({ query: { ...here, operator: "≈" } }), {
      status: 400,
      code: "parameter_invalid",
    }));

  await check("contacts: all, in pages", async () => {
    const all = await ids(await client.contacts.list());
    const inPages = await ids(await client.contacts.list({ per_page: 3 }));
    assert.ok(all.length >= people.length);
    assert.equal(new Set(inPages).size, inPages.length);
    assert.deepEqual(inPages, all);
  });
};

/** What is on this page of contacts and all that follow it, which the client fetches as it goes. */
async function everything(page, ofContact) {
  const found = [];
  for await (const contact of page) {
    found.push(ofContact(contact));
    assert.ok(found.length < 1000, "the pages have no end");
  }
  return found;
}

const names = async (page) => (await everything(page, ({ name }) => name)).sort();
const ids = (page) => everything(page, ({ id }) => id);
