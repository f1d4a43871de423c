// The official Node SDK, unmodified, against a running server: what `test_openai.py` says of the Python SDK, where the
// two differ in how they send and read. CommonJS, because only that finds packages by NODE_PATH.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { OpenAI } = require("openai");

const client = new OpenAI({ maxRetries: 0, timeout: 120_000 });
const ECHO = "scripted/echo";
const TINY = "jan-tiny";

const ask = (text, more = {}) =>
  client.chat.completions.create({ model: ECHO, messages: [{ role: "user", content: text }], ...more });

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

test("the list holds what can be asked, and ids with slashes are found", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  for (const id of [ECHO, TINY, "vendor/upstream-large"]) {
    assert.ok(ids.includes(id), id);
    assert.equal((await client.models.retrieve(id)).id, id);
  }
});

test("an answer is complete", async () => {
  const answer = await ask("to be or not to be");
  assert.equal(answer.choices[0].message.content, "to be or not to be");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer._request_id);
});

test("a stream is complete", async () => {
  const chunks = [];
  const stream = await ask("to be or not to be", { stream: true, stream_options: { include_usage: true } });
  for await (const chunk of stream) chunks.push(chunk);
  assert.equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`)).size, 1);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.equal(text, "to be or not to be");
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, 6);
});

test("a stream that breaks off is an error", async () => {
  const stream = await ask("one two three four", { model: "scripted/cut", stream: true });
  await assert.rejects(async () => {
    for await (const chunk of stream) assert.equal(chunk.choices[0]?.finish_reason ?? null, null);
  });
});

test("leaving early leaves the client usable", async () => {
  const stream = await ask("go on", { model: "scripted/lorem-100000", stream: true });
  for await (const _ of stream) break;
  assert.equal((await ask("fine")).choices[0].message.content, "fine");
});

test("the tool runner goes from call to result", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: "scripted/tool",
    stream: true,
    messages: [{ role: "user", content: '{"city": "Paris"}' }],
    tools: [
      {
        type: "function",
        function: {
          ...WEATHER.function,
          parse: JSON.parse,
          function: ({ city }) => {
            asked.push(city);
            return "sunny";
          },
        },
      },
    ],
  });
  assert.equal(await runner.finalContent(), "sunny");
  assert.deepEqual(asked, ["Paris"]);
});

test("a conversation lives and goes", async () => {
  const made = await client.conversations.create({ items: [{ role: "user", content: "Hello" }], metadata: { topic: "demo" } });
  assert.deepEqual([made.object, made.metadata], ["conversation", { topic: "demo" }]);
  const found = await client.conversations.retrieve(made.id);
  assert.deepEqual([found.id, found.created_at], [made.id, made.created_at]);
  const changed = await client.conversations.update(made.id, { metadata: { topic: "other" } });
  assert.deepEqual(changed.metadata, { topic: "other" });
  const deleted = await client.conversations.delete(made.id);
  assert.deepEqual([deleted.id, deleted.object, deleted.deleted], [made.id, "conversation.deleted", true]);
  await assert.rejects(client.conversations.retrieve(made.id), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    return error.code === "conversation_not_found";
  });
});

test("items of a conversation are added, paged, found and deleted", async () => {
  const { id } = await client.conversations.create();
  const texts = ["0", "1", "2", "3", "4"];
  const items = texts.map((content) => ({ role: "user", content }));
  items.push({ type: "function_call", call_id: "call_1", name: "f", arguments: "{}" });
  const added = await client.conversations.items.create(id, { items, include: ["message.output_text.logprobs"] });
  assert.equal(added.data.length, items.length);
  const call = await client.conversations.items.retrieve(added.last_id, { conversation_id: id });
  assert.deepEqual([call.type, call.call_id, call.name, call.arguments, call.status], ["function_call", "call_1", "f", "{}", "completed"]);
  const left = await client.conversations.items.delete(call.id, { conversation_id: id });
  assert.deepEqual([left.id, left.object], [id, "conversation"]);
  const shown = [];
  for await (const item of client.conversations.items.list(id, { limit: 2, order: "asc" })) {
    assert.deepEqual([item.role, item.status, item.content[0].type], ["user", "completed", "input_text"]);
    shown.push(item.content[0].text);
  }
  assert.deepEqual(shown, texts);
  const newest = await client.conversations.items.list(id, { limit: 2 });
  assert.deepEqual([newest.data.length, newest.has_more, newest.data[0].content[0].text], [2, true, "4"]);
  await assert.rejects(client.conversations.items.create(id, { items: [{ type: "nonsense" }] }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return error.param === "items[0].type";
  });
});

const turn = (text) => [["user", "input_text", text], ["assistant", "output_text", text]];

const turns = async (conversation) => {
  const shown = [];
  for await (const item of client.conversations.items.list(conversation, { order: "asc" })) {
    assert.deepEqual([item.type, item.status], ["message", "completed"]);
    shown.push([item.role, item.content[0].type, item.content[0].text]);
  }
  return shown;
};

test("chats go on with a conversation", async () => {
  const { id } = await client.conversations.create();
  const { data, response } = await ask("whole and kept", { conversation: id }).withResponse();
  assert.deepEqual([response.headers.get("x-conversation-id"), data.conversation.id, data.trimmed], [id, id, false]);
  assert.deepEqual(await turns(id), turn("whole and kept"));
  const chunks = [];
  for await (const chunk of await ask("streamed and kept", { stream: true, conversation: { id } })) chunks.push(chunk);
  assert.equal(chunks.at(-1).conversation.id, id);
  assert.deepEqual(await turns(id), [...turn("whole and kept"), ...turn("streamed and kept")]);
});

test("a chat makes a conversation", async () => {
  const { data, response } = await ask("a new one", { stream: true, conversation: {} }).withResponse();
  const id = response.headers.get("x-conversation-id");
  let last;
  for await (const chunk of data) last = chunk;
  assert.deepEqual(last.conversation, { id, title: "a new one" });
  assert.deepEqual(await turns(id), turn("a new one"));
});

test("errors have their classes", async () => {
  await assert.rejects(client.withOptions({ apiKey: "sk_nobody" }).models.list(), OpenAI.AuthenticationError);
  await assert.rejects(ask("x", { model: "no/such-model" }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
  await assert.rejects(ask("x", { temperature: 9 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    assert.ok(error.requestID);
    return true;
  });
  for (const [status, kind] of [
    [429, OpenAI.RateLimitError],
    [500, OpenAI.InternalServerError],
    [503, OpenAI.InternalServerError],
  ]) {
    await assert.rejects(ask("x", { model: `scripted/error-${status}`, stream: true }), kind);
  }
});

test("the SDK's own retry succeeds", async () => {
  const patient = client.withOptions({ maxRetries: 2 });
  const messages = [{ role: "user", content: "hello" }];
  const answer = await patient.chat.completions.create({ model: "upstream-chat", messages });
  assert.equal(answer.choices[0].message.content, "Hello there");
});

test("a real model answers, and a JSON schema holds", async () => {
  const question = { model: TINY, temperature: 0, max_tokens: 24 };
  const whole = await ask("Write one sentence about the sea.", question);
  const stream = client.chat.completions.stream({
    ...question,
    messages: [{ role: "user", content: "Write one sentence about the sea." }],
  });
  assert.equal(await stream.finalContent(), whole.choices[0].message.content);

  const schema = {
    type: "object",
    properties: { name: { type: "string" }, population: { type: "integer" } },
    required: ["name", "population"],
    additionalProperties: false,
  };
  const answer = await ask("Name a city and its population.", {
    model: TINY,
    temperature: 0,
    max_tokens: 200,
    response_format: { type: "json_schema", json_schema: { name: "city", strict: true, schema } },
  });
  const city = JSON.parse(answer.choices[0].message.content);
  assert.equal(typeof city.name, "string");
  assert.ok(Number.isInteger(city.population));
});
