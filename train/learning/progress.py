"""What a person at the terminal, or a program behind it, hears of a run while it goes on."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from model.terminal import for_terminal


class ProgressEvent(BaseModel):
    """One report; as a JSON line, what is unknown is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Literal["start", "step", "evaluation", "saved", "finished"]
    step: int = Field(description="Training steps done, those before a resume included")
    steps: int = Field(description="Training steps in all; early stopping may end sooner")
    epoch: float | None = Field(None, description="Passes over the songs done")
    loss: float | None = Field(None, description="Training loss per token, the mean since the last report")
    learning_rate: float | None = None
    tokens: int | None = Field(None, description="Tokens learnt since this start, padding left out")
    tokens_per_second: float | None = Field(None, description="Tokens learnt a second, evaluations left out")
    eta_seconds: float | None = Field(None, description="Seconds until the last step, at the pace so far")
    validation_loss: float | None = Field(None, description="Loss per token on the songs held out")
    sample: Annotated[str, AfterValidator(for_terminal)] | None = Field(
        None, description="A song that the model writes at this point"
    )
    output: str | None = Field(None, description="The finished checkpoint's folder")
    served: bool | None = Field(None, description="Whether the bot serves it from its next start")


ReportProgress = Callable[[ProgressEvent], None]


@contextmanager
def reporting(kind: Literal["bar", "json", "none"]) -> Iterator[ReportProgress]:
    """Give what shows events as the person or the program asked; a bar ends with the context, so that errors follow."""
    if kind == "bar":
        with closing(_Bar()) as bar:
            yield bar
    else:
        yield _print_json if kind == "json" else lambda _: None


def _print_json(event: ProgressEvent) -> None:
    print(event.model_dump_json(exclude_none=True), flush=True)


class _Bar:
    """One bar on stderr with loss, tokens a second and time left; losses and sample songs stand above it."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None

    def __call__(self, event: ProgressEvent) -> None:
        if self._bar is None:
            form = "{percentage:3.0f}%|{bar}| step {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
            self._bar = tqdm(
                total=event.steps, initial=event.step, dynamic_ncols=True, bar_format=form, file=sys.stderr
            )
        self._bar.update(event.step - self._bar.n)
        if event.event == "step" and event.loss is not None:
            speed = f"{event.tokens_per_second:,.0f} tokens/s" if event.tokens_per_second else "…"
            self._bar.set_postfix_str(f"loss {event.loss:.3f}, {speed}")
        elif event.event == "evaluation":
            self._bar.write(
                f"step {event.step}: validation loss {event.validation_loss:.3f}\n\n{event.sample}\n", file=sys.stderr
            )
        elif event.event == "finished":
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands; what is printed next is below it."""
        if self._bar is not None:
            self._bar.close()


class Follow(TrainerCallback):
    """Makes events of what the Trainer does; in the first process only.

    Args:
        report: Shows an event.
        tokens_seen: Returns the tokens learnt since the start, over all processes.
        write_sample: Returns a song by the model as it stands.
    """

    def __init__(self, report: ReportProgress, tokens_seen: Callable[[], int], write_sample: Callable[[], str]) -> None:
        self._report = report
        self._tokens_seen = tokens_seen
        self._write_sample = write_sample
        self._busy = 0.0  # seconds in training steps, evaluations left out
        self._steps = 0
        self._began = 0.0
        self._logged = (0.0, 0)  # the busy seconds and the tokens at the last report

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report the start."""
        del args, control
        self._tell("start", state)
        self._began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Count the step's time, its songs' loading included."""
        now = time.perf_counter()
        self._busy += now - self._began
        self._began = now
        self._steps += 1

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Report the training loss."""
        del args, control
        if not logs or "loss" not in logs:
            return
        tokens = self._tokens_seen()
        seconds, fresh = self._busy - self._logged[0], tokens - self._logged[1]
        self._logged = (self._busy, tokens)
        self._tell(
            "step",
            state,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            tokens=tokens,
            tokens_per_second=fresh / seconds if seconds else None,
            eta_seconds=self._busy / self._steps * (state.max_steps - state.global_step) if self._steps else None,
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Report the validation loss with a song."""
        del args, control
        assert metrics is not None, "the Trainer tells what it measured"
        self._tell("evaluation", state, validation_loss=metrics["eval_loss"], sample=self._write_sample())
        self._began = time.perf_counter()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Report that the run can go on from here."""
        del args, control
        self._tell("saved", state)
        self._began = time.perf_counter()

    def _tell(self, event: str, state: TrainerState, **fields: Any) -> None:
        epoch = None if state.epoch is None else round(state.epoch, 4)
        self._report(
            ProgressEvent.model_validate(
                {"event": event, "step": state.global_step, "steps": state.max_steps, "epoch": epoch, **fields}
            )
        )
