"""The Bot Framework's dialogs, their state in a storage on SQLite; Telegram by an adapter of ours.

python bot_framework.py URL TOKEN SECRET PORT FOLDER
"""

from __future__ import annotations

import hmac
import sys
from typing import Any

import aiosqlite
import jsonpickle
from aiohttp import ClientSession, web
from botbuilder.core import (
    BotAdapter,
    ConversationState,
    MessageFactory,
    Storage,
    TurnContext,
)
from botbuilder.dialogs import (
    DialogExtensions,
    DialogTurnResult,
    WaterfallDialog,
    WaterfallStepContext,
)
from botbuilder.dialogs.component_dialog import ComponentDialog
from botbuilder.dialogs.prompts import PromptOptions, PromptValidatorContext, TextPrompt
from botbuilder.schema import (
    Activity,
    ActivityTypes,
    CardAction,
    ChannelAccount,
    ConversationAccount,
    ResourceResponse,
)
from questionnaire import AGAIN, QUESTIONS, THANKS, understood


class Sqlite(Storage):
    async def open(self, path: str) -> None:
        self.db = await aiosqlite.connect(path, isolation_level=None)
        await self.db.execute("PRAGMA journal_mode=WAL")
        await self.db.execute("PRAGMA synchronous=FULL")
        await self.db.execute("CREATE TABLE IF NOT EXISTS talks (key TEXT PRIMARY KEY, value TEXT)")

    async def read(self, keys: list[str]) -> dict[str, Any]:
        found = {}
        for key in keys:
            async with self.db.execute("SELECT value FROM talks WHERE key = ?", (key,)) as rows:
                row = await rows.fetchone()
            if row:
                found[key] = jsonpickle.decode(row[0])
        return found

    async def write(self, changes: dict[str, Any]) -> None:
        for key, value in changes.items():
            await self.db.execute(
                "INSERT INTO talks VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, jsonpickle.encode(value)),
            )

    async def delete(self, keys: list[str]) -> None:
        for key in keys:
            await self.db.execute("DELETE FROM talks WHERE key = ?", (key,))


class Telegram(BotAdapter):
    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.url = f"{url}/bot{token}/sendMessage"
        self.http: ClientSession | None = None

    async def send_activities(
        self, context: TurnContext, activities: list[Activity]
    ) -> list[ResourceResponse]:
        sent = []
        for activity in activities:
            if activity.type != ActivityTypes.message:  # traces are for an emulator
                sent.append(ResourceResponse(id=""))
                continue
            message: dict[str, Any] = {
                "chat_id": activity.conversation.id,
                "text": activity.text,
            }
            if activity.suggested_actions:
                rows = [[{"text": one.title, "callback_data": one.value}]
                        for one in activity.suggested_actions.actions]  # fmt: skip
                message["reply_markup"] = {"inline_keyboard": rows}
            async with self.http.post(self.url, json=message) as answer:
                told = await answer.json()
            sent.append(ResourceResponse(id=str(told["result"]["message_id"])))
        return sent

    async def update_activity(self, context: TurnContext, activity: Activity) -> None:
        raise NotImplementedError

    async def delete_activity(self, context: TurnContext, reference: Any) -> None:
        raise NotImplementedError


class Consulta(ComponentDialog):
    def __init__(self) -> None:
        super().__init__("consulta")
        self.add_dialog(WaterfallDialog("questions", [*map(_step, range(len(QUESTIONS))), _end]))
        self.add_dialog(TextPrompt("answer", _valid))
        self.initial_dialog_id = "questions"


async def _valid(prompt: PromptValidatorContext) -> bool:
    return understood(QUESTIONS[prompt.options.validations], prompt.recognized.value) is not None


def _note(step: WaterfallStepContext, at: int) -> None:
    question = QUESTIONS[at]
    step.values[question["name"]] = understood(question, step.result)


def _step(at: int) -> Any:
    async def ask(step: WaterfallStepContext) -> DialogTurnResult:
        if at:
            _note(step, at - 1)
        question = QUESTIONS[at]
        if "notice" in question:
            await step.context.send_activity(question["notice"])
        actions = [CardAction(type="imBack", title=label, value=f"{question['name']}.{name}")
                   for name, label in question.get("choices", {}).items()]  # fmt: skip
        prompt = MessageFactory.text(question["text"])
        if actions:
            prompt = MessageFactory.suggested_actions(actions, question["text"])
        again = MessageFactory.text(question.get("again", AGAIN))
        return await step.prompt(
            "answer", PromptOptions(prompt=prompt, retry_prompt=again, validations=at)
        )

    return ask


async def _end(step: WaterfallStepContext) -> DialogTurnResult:
    _note(step, len(QUESTIONS) - 1)
    await step.context.send_activity(THANKS)
    return await step.end_dialog()


def activity(update: dict[str, Any]) -> Activity:
    message = update["message"]
    return Activity(
        type=ActivityTypes.message,
        id=str(update["update_id"]),
        channel_id="telegram",
        conversation=ConversationAccount(id=str(message["chat"]["id"])),
        from_property=ChannelAccount(id=str(message["from"]["id"])),
        recipient=ChannelAccount(id="bot"),
        text=message["text"],
    )


def main(url: str, token: str, secret: str, port: int, folder: str) -> None:
    storage, adapter, dialog = Sqlite(), Telegram(url, token), Consulta()
    kept = ConversationState(storage)
    place = kept.create_property("dialog")

    async def turn(context: TurnContext) -> None:
        await DialogExtensions.run_dialog(dialog, context, place)
        await kept.save_changes(context)

    async def hook(request: web.Request) -> web.Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given, secret):
            return web.Response(status=401)
        context = TurnContext(adapter, activity(await request.json()))
        await adapter.run_pipeline(context, turn)
        return web.Response()

    async def opened(_app: web.Application) -> Any:
        await storage.open(f"{folder}/talks.db")
        async with ClientSession() as adapter.http:
            yield

    app = web.Application()
    app.cleanup_ctx.append(opened)
    app.router.add_post("/hooks/telegram", hook)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    url, token, secret, port, folder = sys.argv[1:]
    main(url, token, secret, int(port), folder)
