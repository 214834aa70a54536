// The Node clients, called on request: a line of JSON comes in, `{"call": NAME, "url": …, "args": {…}}`,
// and a line goes out: `{"ok": …}` or `{"error": {…}}` with what the client threw.
//
// Nothing is judged here; the tests that ask do that.
"use strict";

const readline = require("node:readline");
const { OpenAI, AzureOpenAI, toFile } = require("openai");
const { zodResponseFormat, zodTextFormat } = require("openai/helpers/zod");
const { Anthropic } = require("@anthropic-ai/sdk");
const { betaZodTool } = require("@anthropic-ai/sdk/helpers/beta/zod");
const { zodOutputFormat } = require("@anthropic-ai/sdk/helpers/zod");
const { GoogleGenAI } = require("@google/genai");
const { z } = require("zod");

const KEY = "sk-of-the-caller";
const HI = [{ role: "user", content: "hi" }];
const Town = z.object({ name: z.string(), people: z.number() });
const PARAMETERS = { type: "object", properties: { town: { type: "string" } }, required: ["town"] };

const openai = (url, more) => new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0, ...more });
const claude = (url) => new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0 });
const google = (url) => new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: `${url}/gemini` } });

const collect = async (iterable) => {
  const found = [];
  for await (const item of iterable) found.push(item);
  return found;
};

const calls = {
  // OpenAI.
  async "openai.chat"(url, { model, ...more }) {
    const { data, response, request_id } = await openai(url)
      .chat.completions.create({ model, messages: HI, ...more })
      .withResponse();
    return { data, request_id, inference: response.headers.get("x-sabir-inference-id") };
  },
  async "openai.chunks"(url, { model, ...more }) {
    return collect(await openai(url).chat.completions.create({ model, messages: HI, stream: true, ...more }));
  },
  async "openai.stream"(url, { model, ...more }) {
    const runner = openai(url).chat.completions.stream({ model, messages: HI, ...more });
    const pieces = [];
    runner.on("content", (delta) => pieces.push(delta));
    const final = await runner.finalChatCompletion();
    return { pieces, final };
  },
  async "openai.tools"(url, { model, ...more }) {
    const asked = [];
    const runner = openai(url).chat.completions.runTools({
      model,
      messages: HI,
      ...more,
      tools: [
        {
          type: "function",
          function: {
            name: "weather",
            description: "The weather of a town",
            parameters: PARAMETERS,
            parse: JSON.parse,
            function: ({ town }) => {
              asked.push(town);
              return `rain in ${town}`;
            },
          },
        },
      ],
    });
    return { content: await runner.finalContent(), asked };
  },
  async "openai.parse"(url, { model }) {
    const completion = await openai(url).chat.completions.parse({
      model,
      messages: HI,
      response_format: zodResponseFormat(Town, "town"),
    });
    return completion.choices[0].message.parsed;
  },
  async "openai.azure"(url, { model }) {
    const client = new AzureOpenAI({ endpoint: url, apiKey: KEY, apiVersion: "2024-10-21", maxRetries: 0 });
    return client.chat.completions.create({ model, messages: HI });
  },
  async "openai.embeddings"(url, { model }) {
    return openai(url).embeddings.create({ model, input: "hi" });
  },
  async "openai.models"(url) {
    return (await collect(openai(url).models.list())).map((model) => model.id);
  },
  async "openai.leave"(url, { model }) {
    const stream = await openai(url).chat.completions.create({ model, messages: HI, stream: true });
    for await (const chunk of stream) return chunk.choices[0].delta.content;
  },
  async "openai.retry"(url, { model, maxRetries }) {
    return openai(url, { maxRetries }).chat.completions.create({ model, messages: HI });
  },
  // OpenAI's Responses.
  async "responses.create"(url, { model, ...more }) {
    const answer = await openai(url).responses.create({ model, input: "hi", ...more });
    return { id: answer.id, text: answer.output_text, output: answer.output, usage: answer.usage };
  },
  async "responses.events"(url, { model, ...more }) {
    return collect(await openai(url).responses.create({ model, input: "hi", stream: true, ...more }));
  },
  async "responses.stream"(url, { model, ...more }) {
    const stream = openai(url).responses.stream({ model, input: "hi", ...more });
    const deltas = [];
    stream.on("response.output_text.delta", (event) => deltas.push(event.delta));
    const final = await stream.finalResponse();
    return { deltas, text: final.output_text, output: final.output };
  },
  async "responses.parse"(url, { model }) {
    const answer = await openai(url).responses.parse({
      model,
      input: "hi",
      text: { format: zodTextFormat(Town, "town") },
    });
    return answer.output_parsed;
  },
  async "responses.kept"(url, { model }) {
    const client = openai(url);
    const first = await client.responses.create({ model, input: "first" });
    const second = await client.responses.create({ model, input: "second", previous_response_id: first.id });
    const items = await collect(client.responses.inputItems.list(second.id));
    return { again: (await client.responses.retrieve(second.id)).output_text, roles: items.map((item) => item.role) };
  },
  // Anthropic.
  async "claude.message"(url, { model, ...more }) {
    const { data, request_id } = await claude(url)
      .messages.create({ model, max_tokens: 100, messages: HI, ...more })
      .withResponse();
    return { data, request_id };
  },
  async "claude.events"(url, { model, ...more }) {
    return collect(await claude(url).messages.create({ model, max_tokens: 100, messages: HI, stream: true, ...more }));
  },
  async "claude.stream"(url, { model, ...more }) {
    const stream = claude(url).messages.stream({ model, max_tokens: 100, messages: HI, ...more });
    const pieces = [];
    const json = [];
    stream.on("text", (delta) => pieces.push(delta));
    stream.on("inputJson", (delta) => json.push(delta));
    const final = await stream.finalMessage();
    return { pieces, json, final };
  },
  async "claude.tools"(url, { model }) {
    const asked = [];
    const weather = betaZodTool({
      name: "weather",
      description: "The weather of a town",
      inputSchema: z.object({ town: z.string() }),
      run: ({ town }) => {
        asked.push(town);
        return `rain in ${town}`;
      },
    });
    const runner = claude(url).beta.messages.toolRunner({ model, max_tokens: 100, messages: HI, tools: [weather] });
    const final = await runner;
    return { content: final.content, asked };
  },
  async "claude.parse"(url, { model }) {
    const message = await claude(url).messages.parse({
      model,
      max_tokens: 100,
      messages: HI,
      output_config: { format: zodOutputFormat(Town) },
    });
    return message.parsed_output;
  },
  async "claude.count"(url, { model }) {
    return claude(url).messages.countTokens({ model, messages: HI });
  },
  async "claude.models"(url) {
    return (await collect(claude(url).models.list())).map((model) => model.id);
  },
  // Google.
  async "google.generate"(url, { model, ...more }) {
    const answer = await google(url).models.generateContent({ model, contents: "hi", ...more });
    return { text: answer.text, calls: answer.functionCalls ?? [], usage: answer.usageMetadata };
  },
  async "google.stream"(url, { model, ...more }) {
    const chunks = await collect(await google(url).models.generateContentStream({ model, contents: "hi", ...more }));
    return { texts: chunks.map((chunk) => chunk.text ?? ""), calls: chunks.flatMap((chunk) => chunk.functionCalls ?? []) };
  },
  async "google.chat"(url, { model }) {
    const chat = google(url).chats.create({ model });
    await chat.sendMessage({ message: "first" });
    const second = await chat.sendMessage({ message: "second" });
    return { text: second.text, turns: chat.getHistory().map((turn) => turn.role) };
  },
  async "google.embed"(url, { model }) {
    const answer = await google(url).models.embedContent({ model, contents: ["hi"] });
    return answer.embeddings.map((embedding) => embedding.values);
  },
  // Uploads go through as they are.
  async "openai.upload"(url, { bytes }) {
    const file = await toFile(Buffer.alloc(bytes, "x"), "lines.jsonl", { type: "application/jsonl" });
    return openai(url).files.create({ file, purpose: "user_data" });
  },
};

const thrown = (error) => ({
  name: error.constructor.name,
  message: String(error.message),
  status: error.status ?? null,
  request_id: error.requestID ?? null,
  body: error.error ?? null,
});

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { call, url, args } = JSON.parse(line);
  let result;
  try {
    if (!(call in calls)) throw new Error(`no call named ${call}`);
    result = { ok: (await calls[call](url, args)) ?? null };
  } catch (error) {
    result = { error: thrown(error) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
});
