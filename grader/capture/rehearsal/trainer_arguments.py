"""What a Trainer's arguments say that the grader cannot do, or does otherwise.

In: the arguments that `trainer` does not follow by itself, and what else it has. Out: ("obstacle"
or "note", a sentence) for each. Part of the stand-in for Lightning; see `lightning`.
Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grader.capture.rehearsal import callbacks

Said = Iterator[tuple[str, str]]

_SHOW = frozenset(
    """
    accelerator auto_lr_find auto_scale_batch_size auto_select_gpus barebones benchmark
    checkpoint_callback default_root_dir detect_anomaly deterministic distributed_backend
    enable_checkpointing enable_model_summary enable_progress_bar flush_logs_every_n_steps
    inference_mode limit_predict_batches limit_test_batches log_every_n_steps log_gpu_memory logger
    model_registry move_metrics_to_cpu num_processes num_sanity_val_steps prepare_data_per_node
    process_position profiler progress_bar_refresh_rate replace_sampler_ddp strategy
    sync_batchnorm terminate_on_nan track_grad_norm use_distributed_sampler weights_save_path
    weights_summary
    """.split()  # noqa: SIM905 - one name a line would be longer than all the rest
)
"""Those that decide nothing about how a network is trained on one device."""
_SAID = frozenset(
    """
    amp_backend amp_level devices gpus max_time num_nodes overfit_batches plugins precision
    resume_from_checkpoint stochastic_weight_avg tpu_cores val_check_interval
    """.split()  # noqa: SIM905
)
_NEVER = {
    "overfit_batches": "It trains on a part of the data only (overfit_batches)",
    "stochastic_weight_avg": "It averages weights over epochs (stochastic_weight_avg)",
    "resume_from_checkpoint": "It goes on from a checkpoint; the grader trains from the start",
}
_IN_PLACE_OF_LIGHTNING = {
    "optimizer_step": "steps the optimizer",
    "optimizer_zero_grad": "sets gradients to zero",
    "backward": "computes gradients",
    "configure_gradient_clipping": "clips gradients",
    "lr_scheduler_step": "steps the scheduler",
    "on_before_batch_transfer": "changes batches",
    "on_after_batch_transfer": "changes batches",
    "training_step_end": "gathers what training_step gives",
}
"""Methods of a module, or of its data, that do a part of the training in their own way."""


def differences(
    arguments: dict[str, Any], parts: list[Any], others: list[Any], *, stops: bool
) -> Said:
    """All that is said of them.

    `parts` are the module and its data, `others` callbacks; `stops`: an EarlyStopping is among
    them.
    """
    yield from _precision(str(arguments.get("precision") or "32"))
    yield from _devices(arguments)
    if arguments.get("max_time") is not None:
        yield "obstacle", "It stops by the clock (max_time): say max_epochs instead"
    for name, text in _NEVER.items():
        if arguments.get(name):
            yield "obstacle", text
    every = arguments.get("val_check_interval")
    if stops and every is not None and not (isinstance(every, float) and every == 1.0):
        yield (
            "obstacle",
            f"It validates several times an epoch (val_check_interval={every}), and its "
            "EarlyStopping counts these; the grader's patience counts epochs: leave "
            "val_check_interval out",
        )
    for name in sorted(set(arguments) - _SHOW - _SAID):
        yield "note", f"Trainer({name}=...) is not known here, and is left out"
    for name, what in _IN_PLACE_OF_LIGHTNING.items():
        if any(hasattr(type(item), name) for item in parts):
            yield (
                "obstacle",
                f"Its own {name}() {what} in place of Lightning, which is not followed here: "
                "leave it out, or write the loop without Lightning",
            )
    for item in others:
        yield from _callback(item)


def _callback(item: Any) -> Said:
    if what := getattr(type(item), "changes_training", ""):
        yield "obstacle", f"Its callback {type(item).__name__} {what}"
    elif callbacks.is_absorbed(item) and (what := _unfollowed(item)):
        yield "obstacle", f"A callback {what}"


def _precision(precision: str) -> Said:
    if precision in ("32", "32-true"):
        return
    if precision.endswith("-true") or precision == "64":
        yield (
            "obstacle",
            f"Its weights are not float32 (precision={precision!r}); the grader trains in float32",
        )
    else:
        yield "note", f"It trains in mixed precision ({precision}), the grader does not"


def _devices(arguments: dict[str, Any]) -> Said:
    told = arguments.get("devices", arguments.get("gpus", arguments.get("tpu_cores")))
    nodes = arguments.get("num_nodes") or 1
    count = _count(told) * (nodes if isinstance(nodes, int) else 1)
    if count > 1:
        yield "obstacle", f"It trains on {count} devices, and their batches make one step"
    elif told in (-1, "-1"):
        yield "note", "It trains on all devices that there are, the grader on one"


def _count(told: Any) -> int:
    if isinstance(told, str):
        parts = [part for part in told.split(",") if part.strip()]
        return int(told) if told.isdigit() else max(1, len(parts))
    if isinstance(told, list | tuple):
        return max(1, len(told))
    return max(1, told) if isinstance(told, int) else 1


def _unfollowed(item: Any) -> str:
    names = [what for name, what in callbacks.CHANGE_TRAINING.items() if name in str(item)]
    return names[0] if names else ""
