// Reading events back: lists, their pages, and summaries.
"use strict";

const assert = require("node:assert/strict");
const { check, refused } = require("./checks.js");

module.exports = async (client, baseUrl) => {
  const now = Math.floor(Date.now() / 1000);
  const email = "reader+1@example.com";
  const moments = [70, 60, 50, 40, 30, 20, 10].map((ago) => now - ago);
  const newestFirst = [...moments].reverse();
  const summaries = () =>
    client.events.list({ type: "user", user_id: "reader-1", summary: true });

  await check("list: an event as sent, with its contact", async () => {
    const contact = await client.contacts.create({ external_id: "reader-1" });
    await client.contacts.update({ contact_id: contact.id, email });
    for (const [index, created_at] of moments.entries()) {
      const event_name = index % 2 === 0 ? "even" : "odd";
      await client.events.create({ user_id: "reader-1", event_name, created_at });
    }
    const list = await client.events.list({ type: "user", user_id: "reader-1" });
    assert.equal(list.type, "event.list");
    const [newest] = list.events;
    assert.equal(newest.type, "event");
    assert.equal(newest.event_name, "even");
    assert.equal(newest.created_at, now - 10);
    assert.equal(newest.user_id, "reader-1");
    assert.equal(newest.email, email);
    assert.equal(newest.intercom_user_id, contact.id);
    assert.equal(typeof newest.id, "string");
  });

  await check("list: newest first, by user id and by email alike", async () => {
    for (const whose of [{ user_id: "reader-1" }, { email }]) {
      const { events, pages } = await client.events.list({ type: "user", ...whose });
      assert.deepEqual(events.map((event) => event.created_at), newestFirst);
      assert.ok(!pages?.next, "seven events are one page");
    }
  });

  await check("list: pages of three, to the end", async () => {
    const request = { type: "user", email, per_page: 3 };
    const pages = await everyPage(client, baseUrl, request);
    assert.deepEqual(pages.map((page) => page.length), [3, 3, 1]);
    assert.deepEqual(pages.flat().map((event) => event.created_at), newestFirst);
  });

  await check("list: an unknown user is refused", () =>
    refused(() => client.events.list({ type: "user", user_id: "nobody" }), {
      status: 404,
      code: "not_found",
    }));

  await check("summary: counts, and the first and last time of each name", async () => {
    const summary = await summaries();
    assert.equal(summary.type, "event.summary");
    assert.equal(summary.user_id, "reader-1");
    assert.equal(summary.email, email);
    const even = summary.events.find(({ name }) => name === "even");
    assert.equal(even.count, 4);
    assert.equal(Date.parse(even.first), moments[0] * 1000);
    assert.equal(Date.parse(even.last), moments[6] * 1000);
    assert.equal(summary.events.find(({ name }) => name === "odd").count, 3);
  });

  await check("summary: an imported one", async () => {
    const event_summaries = { event_name: "imported", count: 12, first: now - 900, last: now - 90 };
    await client.events.summaries({ user_id: "reader-1", event_summaries });
    const { events } = await summaries();
    const imported = events.find(({ name }) => name === "imported");
    assert.equal(imported.count, 12);
    assert.equal(Date.parse(imported.first), (now - 900) * 1000);
    assert.equal(Date.parse(imported.last), (now - 90) * 1000);
  });

  await check("summary: importing for an unknown user is refused", () =>
    refused(
      () =>
        client.events.summaries({
          user_id: "nobody",
          event_summaries: { event_name: "imported", count: 1, first: now, last: now },
        }),
      { status: 404, code: "not_found" },
    ));
};

/** Follows `pages.next` until there is none. The client leaves that to its caller. */
async function everyPage(client, baseUrl, request) {
  const pages = [];
  let next = null;
  do {
    const queryParams = next && Object.fromEntries(new URL(next).searchParams);
    const answer = await client.events.list(request, queryParams && { queryParams });
    pages.push(answer.events);
    next = answer.pages?.next;
    if (next) assert.ok(next.startsWith(`${baseUrl}/events?`), next);
    assert.ok(pages.length < 10, "the pages have no end");
  } while (next);
  return pages;
}
