"""The official Python SDK, unmodified, against a running server.

The Rust test `sdk.rs` starts the server and says in the environment where it is; it runs this file once for each door
(the service's own port, the gateway). Models named `scripted/…` say what they are told to; `upstream-chat` belongs to
an upstream that answers the next question with 429 and everything after that well; `jan-tiny` is a real model.
"""

import asyncio
import json
import os
import unittest

import openai
from openai import AsyncOpenAI, OpenAI
from openai.types.conversations import ConversationItem
from pydantic import BaseModel, TypeAdapter

URL = os.environ["OPENAI_BASE_URL"]
client = OpenAI(max_retries=0, timeout=120)
ECHO = "scripted/echo"
TINY = "jan-tiny"


def ask(text, model=ECHO, **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


class Models(unittest.TestCase):
    def test_list_holds_what_can_be_asked(self):
        models = {model.id: model for model in client.models.list()}
        self.assertLessEqual({ECHO, TINY, "upstream-chat", "vendor/upstream-large"}, models.keys())
        for model in models.values():
            self.assertEqual(model.object, "model")
            self.assertIsInstance(model.created, int)
            self.assertIsInstance(model.owned_by, str)

    def test_retrieve_takes_ids_with_slashes(self):
        for name in [ECHO, TINY, "vendor/upstream-large"]:
            self.assertEqual(client.models.retrieve(name).id, name)

    def test_retrieve_of_nothing(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client.models.retrieve("no/such-model")
        self.assertEqual(caught.exception.code, "model_not_found")


class Whole(unittest.TestCase):
    def test_an_answer_is_complete(self):
        answer = ask("to be or not to be")
        self.assertEqual(answer.choices[0].message.content, "to be or not to be")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertIsNone(answer.choices[0].message.refusal)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.model, ECHO)
        self.assertTrue(answer.id.startswith("chatcmpl"))
        usage = answer.usage
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertEqual(usage.completion_tokens, 6)
        self.assertTrue(answer._request_id)

    def test_max_tokens_cuts(self):
        answer = ask("one two three", max_tokens=2)
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 2)

    def test_several_choices(self):
        answer = ask("twice", n=2)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])

    def test_content_in_parts_and_every_role(self):
        answer = client.chat.completions.create(
            model=ECHO,
            messages=[
                {"role": "system", "content": "You repeat."},
                {"role": "developer", "content": [{"type": "text", "text": "Really."}]},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "first"},
                {"role": "user", "content": [{"type": "text", "text": "second"}]},
            ],
        )
        self.assertEqual(answer.choices[0].message.content, "second")

    def test_many_at_once(self):
        async def all_of_them():
            async with AsyncOpenAI(max_retries=0, timeout=120) as many:
                asks = [
                    many.chat.completions.create(model=ECHO, messages=[{"role": "user", "content": f"number {n}"}])
                    for n in range(30)
                ]
                return await asyncio.gather(*asks)

        answers = asyncio.run(all_of_them())
        self.assertEqual([a.choices[0].message.content for a in answers], [f"number {n}" for n in range(30)])


class Streamed(unittest.TestCase):
    def test_a_stream_is_complete(self):
        chunks = list(ask("to be or not to be", stream=True, stream_options={"include_usage": True}))
        self.assertEqual(len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}), 1)
        text = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        self.assertEqual("".join(text), "to be or not to be")
        self.assertGreater(len(chunks), 5, "word by word")
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        self.assertEqual([reason for reason in reasons if reason], ["stop"])
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 6)
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))

    def test_without_the_option_there_is_no_usage(self):
        self.assertTrue(all(chunk.choices and chunk.usage is None for chunk in ask("a b", stream=True)))

    def test_a_stream_that_breaks_off_is_an_error(self):
        with self.assertRaises(openai.APIError):
            for chunk in ask("one two three four", model="scripted/cut", stream=True):
                self.assertFalse(chunk.choices and chunk.choices[0].finish_reason)

    def test_leaving_early_leaves_the_client_usable(self):
        stream = ask("go on", model="scripted/lorem-100000", stream=True)
        next(iter(stream))
        stream.close()
        self.assertEqual(ask("fine").choices[0].message.content, "fine")


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


class Tools(unittest.TestCase):
    def test_a_call_and_its_result(self):
        arguments = json.dumps({"city": "Paris"})
        messages = [{"role": "user", "content": arguments}]
        first = client.chat.completions.create(model="scripted/tool", messages=messages, tools=[WEATHER])
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        call = first.choices[0].message.tool_calls[0]
        self.assertEqual((call.type, call.function.name), ("function", "get_weather"))
        self.assertEqual(json.loads(call.function.arguments), {"city": "Paris"})

        messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
        second = client.chat.completions.create(model="scripted/tool", messages=messages, tools=[WEATHER])
        self.assertEqual(second.choices[0].message.content, "sunny")
        self.assertIsNone(second.choices[0].message.tool_calls)

    def test_the_stream_helper_puts_a_call_together(self):
        with client.chat.completions.stream(
            model="scripted/tool", messages=[{"role": "user", "content": '{"city": "Rome"}'}], tools=[WEATHER]
        ) as stream:
            for _ in stream:
                pass
            call = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual(json.loads(call.function.arguments), {"city": "Rome"})


# Items as the API's reference has them; what comes back must be what the SDK's types say.
ITEMS = [
    {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "What is on it?"},
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_file", "file_id": "file_1", "filename": "a.pdf"},
    ]},
    {"role": "developer", "content": "Be brief."},
    {"role": "assistant", "content": "A cat.", "phase": "final_answer"},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Looks like one."}]},
    {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "1"},
    {"type": "file_search_call", "id": "fs_1", "queries": ["cat"], "status": "completed", "results": None},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "cat"}},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": None},
    {"type": "computer_call", "id": "cu_1", "call_id": "call_2", "status": "completed",
     "action": {"type": "wait"}, "pending_safety_checks": []},
    {"type": "computer_call_output", "call_id": "call_2",
     "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="}},
    {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "container_id": "c", "code": "1",
     "outputs": [{"type": "logs", "logs": "1"}]},
    {"type": "local_shell_call", "id": "lsh_1", "call_id": "call_3", "status": "completed",
     "action": {"type": "exec", "command": ["ls"], "env": {}}},
    {"type": "local_shell_call_output", "id": "call_3", "output": "{}"},
    {"type": "apply_patch_call", "call_id": "call_4", "status": "completed",
     "operation": {"type": "delete_file", "path": "a"}},
    {"type": "apply_patch_call_output", "call_id": "call_4", "status": "completed", "output": "done"},
    {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "t", "arguments": "{}", "output": "1"},
    {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "t", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {"type": "custom_tool_call", "call_id": "call_5", "name": "t", "input": "x"},
]


class Conversations(unittest.TestCase):
    def test_a_conversation_lives_and_goes(self):
        made = client.conversations.create(items=[{"role": "user", "content": "Hello"}], metadata={"topic": "demo"})
        self.assertTrue(made.id.startswith("conv_"))
        self.assertEqual((made.object, made.metadata), ("conversation", {"topic": "demo"}))
        self.assertIsInstance(made.created_at, int)
        found = client.conversations.retrieve(made.id)
        self.assertEqual((found.id, found.created_at, found.metadata), (made.id, made.created_at, made.metadata))
        changed = client.conversations.update(made.id, metadata={"topic": "other"})
        self.assertEqual(changed.metadata, {"topic": "other"})
        deleted = client.conversations.delete(made.id)
        self.assertEqual((deleted.id, deleted.object, deleted.deleted), (made.id, "conversation.deleted", True))
        for call in [client.conversations.retrieve, client.conversations.delete, client.conversations.items.list]:
            with self.assertRaises(openai.NotFoundError) as caught:
                call(made.id)
            self.assertEqual(caught.exception.code, "conversation_not_found")

    def test_items_are_what_the_types_say(self):
        conversation = client.conversations.create()
        added = client.conversations.items.create(conversation.id, items=ITEMS, include=["message.output_text.logprobs"])
        self.assertEqual((added.object, len(added.data)), ("list", len(ITEMS)))
        self.assertEqual((added.first_id, added.last_id), (added.data[0].id, added.data[-1].id))
        check = TypeAdapter(ConversationItem)
        for given, item in zip(ITEMS, added.data):
            self.assertEqual(item.type, given.get("type", "message"))
            check.validate_python(item.to_dict(), strict=True)
            found = client.conversations.items.retrieve(item.id, conversation_id=conversation.id)
            self.assertEqual(found, item)
        question, _, answer = added.data[:3]
        self.assertEqual(question.content[0].text, "What is on it?")
        self.assertEqual((question.role, question.status), ("user", "completed"))
        self.assertEqual((answer.content[0].text, answer.content[0].annotations), ("A cat.", []))
        self.assertEqual(answer.phase, "final_answer")

    def test_pages_follow_one_another(self):
        conversation = client.conversations.create()
        texts = [str(n) for n in range(7)]
        client.conversations.items.create(conversation.id, items=[{"role": "user", "content": t} for t in texts])
        shown = [item.content[0].text for item in client.conversations.items.list(conversation.id, limit=3)]
        self.assertEqual(shown, texts[::-1])
        first = client.conversations.items.list(conversation.id, limit=3, order="asc")
        self.assertEqual(([i.content[0].text for i in first.data], first.has_more), (texts[:3], True))
        after = client.conversations.items.list(conversation.id, after=first.last_id, order="asc")
        self.assertEqual([item.content[0].text for item in after], texts[3:])
        left = client.conversations.items.delete(first.last_id, conversation_id=conversation.id)
        self.assertEqual((left.id, left.object), (conversation.id, "conversation"))
        with self.assertRaises(openai.NotFoundError):
            client.conversations.items.retrieve(first.last_id, conversation_id=conversation.id)
        shown = [item.content[0].text for item in client.conversations.items.list(conversation.id, order="asc")]
        self.assertEqual(shown, ["0", "1", "3", "4", "5", "6"])

    def test_faults_are_named(self):
        conversation = client.conversations.create()
        for items, param in [
            ([], "items"),
            ([{"role": "user", "content": "x"}] * 21, "items"),
            ([{"type": "nonsense"}], "items[0].type"),
            ([{"role": "user", "content": [{"type": "input_text", "text": "x" * 100_001}]}], "items[0].content[0].text"),
        ]:
            with self.assertRaises(openai.BadRequestError) as caught:
                client.conversations.items.create(conversation.id, items=items)
            self.assertEqual(caught.exception.param, param)
        with self.assertRaises(openai.BadRequestError) as caught:
            client.conversations.create(metadata={str(n): "x" for n in range(17)})
        self.assertEqual(caught.exception.param, "metadata")

    def test_the_asynchronous_client(self):
        async def run():
            async with AsyncOpenAI(max_retries=0, timeout=120) as there:
                made = await there.conversations.create()
                await there.conversations.items.create(made.id, items=[{"role": "user", "content": "Hello"}])
                items = [item async for item in there.conversations.items.list(made.id)]
                await there.conversations.delete(made.id)
                return items

        self.assertEqual([item.content[0].text for item in asyncio.run(run())], ["Hello"])


class Turns(unittest.TestCase):
    """Chats that belong to a conversation."""

    def turns(self, conversation):
        items = list(client.conversations.items.list(conversation, order="asc"))
        for item in items:
            TypeAdapter(ConversationItem).validate_python(item.to_dict(), strict=True)
            self.assertEqual((item.type, item.status), ("message", "completed"))
        return [(item.role, item.content[0].type, item.content[0].text) for item in items]

    def turn(self, text):
        return [("user", "input_text", text), ("assistant", "output_text", text)]

    def test_chats_go_on_with_a_conversation(self):
        conversation = client.conversations.create(items=[{"role": "user", "content": "Hello"}]).id
        said = [("user", "input_text", "Hello")]
        whole = client.chat.completions.with_raw_response.create(
            model=ECHO, messages=[{"role": "user", "content": "whole and kept"}],
            extra_body={"conversation": conversation},
        )
        self.assertEqual(whole.headers["x-conversation-id"], conversation)
        answer = whole.parse()
        self.assertEqual(answer.choices[0].message.content, "whole and kept")
        self.assertEqual((answer.conversation["id"], answer.trimmed), (conversation, False))
        said += self.turn("whole and kept")
        self.assertEqual(self.turns(conversation), said)

        chunks = list(ask("streamed and kept", stream=True, extra_body={"conversation": {"id": conversation}}))
        text = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        self.assertEqual("".join(text), "streamed and kept")
        self.assertEqual(chunks[-1].conversation["id"], conversation)
        said += self.turn("streamed and kept")
        self.assertEqual(self.turns(conversation), said, "what ended is kept")

    def test_a_chat_makes_a_conversation(self):
        with ask("a new one", stream=True, extra_body={"conversation": {}}) as stream:
            conversation = stream.response.headers["x-conversation-id"]
            *_, last = stream
        self.assertEqual(last.conversation, {"id": conversation, "title": "a new one"})
        self.assertEqual(client.conversations.retrieve(conversation).title, "a new one")
        self.assertEqual(self.turns(conversation), self.turn("a new one"))

    def test_not_everything_is_kept(self):
        conversation = client.conversations.create().id
        for stream in [False, True]:
            answer = ask("forget it", stream=stream, extra_body={"conversation": conversation, "store": False})
            self.assertTrue(list(answer) if stream else answer.choices)
        self.assertEqual(self.turns(conversation), [])

    def test_a_conversation_must_be_there(self):
        conversation = client.conversations.create().id
        client.conversations.delete(conversation)
        for stream in [False, True]:
            with self.assertRaises(openai.NotFoundError) as caught:
                ask("hello?", stream=stream, extra_body={"conversation": conversation})
            self.assertEqual(caught.exception.code, "conversation_not_found")


class Errors(unittest.TestCase):
    def test_bad_credentials(self):
        for key in ["sk_nobody", "not.a.token"]:
            with self.assertRaises(openai.AuthenticationError):
                client.with_options(api_key=key).models.list()

    def test_an_unknown_model(self):
        for stream in [False, True]:
            with self.assertRaises(openai.NotFoundError) as caught:
                ask("hello", model="no/such-model", stream=stream)
            self.assertEqual((caught.exception.code, caught.exception.param), ("model_not_found", "model"))

    def test_bad_fields_are_named(self):
        for name, value in [("temperature", 9), ("n", 0), ("max_tokens", -1), ("top_p", "much")]:
            with self.assertRaises(openai.BadRequestError, msg=name) as caught:
                ask("hello", extra_body={name: value})
            self.assertEqual(caught.exception.param, name)
            self.assertTrue(caught.exception.request_id)
        with self.assertRaises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=ECHO, messages=[])
        self.assertEqual(caught.exception.param, "messages")
        with self.assertRaises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=ECHO, messages=[{"role": "wizard", "content": "x"}])
        self.assertEqual(caught.exception.param, "messages[0].role")

    def test_the_models_own_failures_keep_their_class(self):
        for status, kind in [
            (400, openai.BadRequestError),
            (429, openai.RateLimitError),
            (500, openai.InternalServerError),
            (503, openai.InternalServerError),
        ]:
            for stream in [False, True]:
                with self.assertRaises(kind, msg=status) as caught:
                    ask("hello", model=f"scripted/error-{status}", stream=stream)
                self.assertNotIsInstance(caught.exception.body, str, "an envelope, no text")

    def test_the_sdks_own_retry_succeeds(self):
        # The upstream's first answer is 429 with `Retry-After`.
        answer = client.with_options(max_retries=2).chat.completions.create(
            model="upstream-chat", messages=[{"role": "user", "content": "hello"}]
        )
        self.assertEqual(answer.choices[0].message.content, "Hello there")


class RealModel(unittest.TestCase):
    def test_whole_and_streamed_answers_agree(self):
        question = dict(model=TINY, temperature=0, max_tokens=24)
        whole = ask("Write one sentence about the sea.", **question)
        self.assertTrue(whole.choices[0].message.content.strip())
        self.assertIn(whole.choices[0].finish_reason, ["stop", "length"])
        self.assertLessEqual(whole.usage.completion_tokens, 24)
        chunks = list(ask("Write one sentence about the sea.", stream=True, stream_options={"include_usage": True}, **question))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_a_json_schema_holds(self):
        class City(BaseModel):
            name: str
            population: int

        answer = client.chat.completions.parse(
            model=TINY,
            messages=[{"role": "user", "content": "Name a city and its population."}],
            response_format=City,
            temperature=0,
            max_tokens=200,
        )
        self.assertIsInstance(answer.choices[0].message.parsed, City)

    def test_logprobs(self):
        answer = ask("Say yes.", model=TINY, temperature=0, max_tokens=4, logprobs=True, top_logprobs=3)
        tokens = answer.choices[0].logprobs.content
        self.assertEqual(len(tokens), answer.usage.completion_tokens)
        for token in tokens:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
