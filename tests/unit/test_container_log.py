"""What a container says tells in a minute what SageMaker tells after an hour."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest

from autoscaler.endpoints.container_log import LogLine, crash_in, quoted, started_at
from tests.memory import NOON

BANNER = "INFO [api_server.py:1892] vLLM API server version 0.27.1"
ENDED = "RuntimeError: Engine core initialization failed. See root cause above."
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"


def lines(*said: str, stream: str = "copy-1", every: float = 10.0) -> list[LogLine]:
    return [
        LogLine(NOON + timedelta(seconds=every * n), stream, text) for n, text in enumerate(said)
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (OOM, "out of accelerator memory"),
        ("ValueError: No available memory for the cache blocks.", "out of accelerator memory"),
        (
            "ValueError: The model's max seq len (131072) is larger than the maximum number of "
            "tokens that can be stored in KV cache (20000).",
            "out of accelerator memory",
        ),
        ("CUDA driver version is insufficient for CUDA runtime version", "driver"),
        ("The NVIDIA driver on your system is too old (found version 12040).", "driver"),
        ("RuntimeError: CUDA error: no kernel image is available for execution", "driver"),
        ("Bfloat16 is only supported on GPUs with compute capability of at least 8.0", "data type"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/x'", "a file"),
        ("OSError: /opt/ml/model does not appear to have a file named config.json", "a file"),
        ("Please pass the argument `trust_remote_code=True`", "code of its repository"),
        ("ValueError: Model architectures ['X'] are not supported for now.", "architecture"),
        ("api_server.py: error: unrecognized arguments: --max-modle-len", "parameters"),
        ("huggingface_hub.errors.GatedRepoError: 401 Client Error.", "the Hub refuses"),
        ("Total number of attention heads (32) must be divisible by tp size (3)", "split"),
    ],
)
def test_a_container_that_ends_after_a_complaint_is_a_crash_with_its_reason(text, reason) -> None:
    crash = crash_in(lines(BANNER, f"ERROR [core.py:708] {text}", ENDED))
    assert crash is not None
    assert reason in crash.reason
    assert text[:30] in crash.line
    assert crash.advice in crash.sentence


@pytest.mark.parametrize(
    "said",
    [
        [],
        [BANNER],
        [BANNER, "INFO Loading weights took 70.2 seconds", "Application startup complete."],
        # tried, caught, and gone on
        [BANNER, "WARNING FileNotFoundError: no tuned config, using the default", "INFO loading"],
        [BANNER, "ERROR something odd happened", BANNER],
    ],
)
def test_a_complaint_alone_is_no_death(said) -> None:
    assert crash_in(lines(*said)) is None


@pytest.mark.parametrize(
    "said",
    [
        [BANNER, OOM, ENDED],
        [BANNER, OOM, BANNER],
        # who dies of its arguments never says its first words
        [OOM, OOM],
    ],
)
def test_ended_started_anew_or_said_twice_it_is_one(said) -> None:
    assert crash_in(lines(*said)) is not None


IDX = "(EngineCore pid=263) INFO 04-19 [w.py:659] No model.safetensors.index.json found in remote."
CONFIG = (
    "(EngineCore pid=263) INFO 04-19 [core.py] V1 LLM engine with config: trust_remote_code=True"
)
UP = "(APIServer pid=1) INFO 04-19 15:32:57 [api_server.py:1] Starting vLLM API server 0"
NCCL = "[0] NCCL INFO NET/Plugin: x.so: cannot open shared object file: No such file or directory"
NO_FILE = "cat: /opt/ml/serving.properties: No such file or directory"


@pytest.mark.parametrize(
    "said",
    [
        # vLLM: said of every model of one file, by every rank
        [BANNER, IDX, UP],
        [BANNER, IDX, IDX, IDX, IDX],
        # engines print their arguments
        [BANNER, CONFIG, UP],
        [
            "server_args=ServerArgs(model_path='/opt/ml/model', trust_remote_code=True)",
            "Load ends.",
        ],
        # libraries that need not be there
        [BANNER, NCCL, NCCL, UP],
        # what a start script complains of comes before the first words
        [NO_FILE, "[INFO ] ModelServer - Starting djl-serving: 0.36.0", "[INFO ] loading"],
        # one start of DJL
        [
            "[INFO ] ModelServer - Starting model server ...",
            "[INFO ] ModelServer - Starting djl-serving: 0.36.0",
            "[INFO ] ModelServer - Model server started.",
        ],
        # whoever came up has got over it
        [BANNER, "torch.OutOfMemoryError: while capturing a graph", UP, "Shutting down"],
        # DJL relays a warning of its engine
        [BANNER, "[INFO ] PyProcess W-1-model-stdout: WARNING 04-19 FileNotFoundError: x", ENDED],
    ],
)
def test_what_healthy_containers_say_is_no_death(said) -> None:
    assert crash_in(lines(*said)) is None


def test_ranks_that_complain_beside_each_other_are_no_second_death() -> None:
    assert crash_in(lines(OOM, OOM, OOM, OOM, every=0.2)) is None


def test_servers_of_one_start_are_no_restart() -> None:
    assert crash_in(lines(BANNER, NO_FILE, BANNER, BANNER, every=0.2)) is None


def test_what_djl_relays_of_its_engine_is_read() -> None:
    said = "[INFO ] PyProcess W-1-model-stdout: ERROR 04-19 [core.py:708] " + OOM
    crash = crash_in(lines(BANNER, said, ENDED))
    assert crash is not None
    assert "memory" in crash.reason


def test_who_dies_without_a_known_reason_is_believed_the_third_time_with_the_last_words() -> None:
    said = [BANNER, "ERROR the flux is not aligned"] * 3
    crash = crash_in(lines(*said))
    assert crash is not None
    assert "started 3 times" in crash.reason
    assert "the flux is not aligned" in crash.line
    assert crash_in(lines(*said[:4])) is None


def test_copies_are_told_apart() -> None:
    """Two healthy copies that start beside each other are no restart."""
    beside = lines(BANNER, stream="a") + lines(BANNER, stream="b") + lines(BANNER, stream="c")
    assert crash_in(beside) is None
    assert crash_in(beside + lines(BANNER, OOM, ENDED, stream="d")) is not None


def test_what_is_told_is_short_and_holds_no_secret() -> None:
    told = quoted(
        "token=abcdef api_key='ghijkl' Bearer mnopqr hf_AbCdEfGhIjKl \x1b[31m" + "x" * 500
    )
    assert "hf_Ab" not in told
    assert not {"abcdef", "ghijkl", "mnopqr"} & set(re.split(r"\W+", told))
    assert "\x1b" not in told
    assert len(told) <= 240


def test_a_container_runs_from_its_first_line_on() -> None:
    assert started_at([]) is None
    assert started_at(lines("a", "b")) == NOON


@pytest.mark.parametrize(
    "said",
    [
        "aws_secret_access_key=wJalrXUtnFEMI",
        "AWS_SESSION_TOKEN=wJalrXUtnFEMI failed",
        "403 Client Error: Forbidden for url: https://cdn-lfs.hf.co/x/y?Policy=a&Signature=wJalrXUtn",
        "error: https://b.s3.amazonaws.com/k?X-Amz-Credential=wJalrXUtnFEMI",
        "error: X-Amz-Signature=wJalrXUtnFEMI",
    ],
)
def test_no_part_of_a_signed_address_or_a_credential_is_told(said: str) -> None:
    assert "wJalrXUtn" not in quoted(said)
    assert "***" in quoted(said)


def test_what_only_counts_tokens_is_told() -> None:
    said = "max_num_batched_tokens=8192 is below max_tokens=9000"
    assert quoted(said) == said


ENDLESS = ["()", "(", "( ", "() ", "1x ", "[", "cuda>=1.1 ", "KV cache needed ", "token ", "not "]


@pytest.mark.parametrize("piece", ENDLESS)
def test_no_line_takes_long_to_read(piece: str) -> None:
    """Each is read by the tick, which has a minute for all endpoints."""
    hostile = [piece * (100_000 // len(piece)), "(" + piece * 2000, f"a {piece * 2000}"]
    began = time.monotonic()
    assert crash_in(lines(BANNER, *hostile * 10)) is None
    assert len(quoted(hostile[0])) <= 240
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "said",
    [
        "(EngineCore pid=263) INFO 04-19 [w.py:659] FileNotFoundError: x",
        "(Worker_TP0 pid=1) (APIServer pid=1) WARNING FileNotFoundError: x",
        "2026-11-27 12:00:00,123 [INFO] FileNotFoundError: x",
        "[INFO ] FileNotFoundError: x",
        "  - DEBUG FileNotFoundError: x",
    ],
)
def test_what_an_engine_holds_for_no_error_is_none(said: str) -> None:
    assert crash_in(lines(BANNER, said, ENDED)) is None
    assert crash_in(lines(BANNER, "FileNotFoundError: x", ENDED)) is not None
