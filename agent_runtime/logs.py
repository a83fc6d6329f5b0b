"""Log lines go to standard error: pretty on a terminal, JSON otherwise. Standard output stays clean.

Control characters in values never reach the terminal raw.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

Format = Literal["auto", "json", "pretty"]


def configure(level: str = "info", format: Format = "auto") -> None:
    """Set up structlog, and the standard library's logging through it."""
    pretty = format == "pretty" or (format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
    ]
    last: list[Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                repr_native_str=True,
                exception_formatter=structlog.dev.plain_traceback,  # no locals: they hold players' lines
            )
        ]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Libraries' own chatter (a line per request or connection) is not what `info` means here.
    for name in ("websockets", "httpx", "httpx2", "huggingface_hub", "asyncio"):
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def warn(text: str) -> None:
    """One warning that belongs to no module in particular."""
    structlog.get_logger("townsfolk").warning(text)
