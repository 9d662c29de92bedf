"""All that is known of a network before it is trained, and the JSON that students know.

In: a Program, and the measurement that proves its receptive field. Out: an `Analysis`, and its
JSON: the keys of `model_analysis_results.json` with their usual meanings, and more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from grader.analysis import curves, gradients, lines
from grader.analysis.activations import activations
from grader.analysis.arguments import base
from grader.analysis.cost import Cost, measure_cost
from grader.analysis.dataflow import trace
from grader.analysis.fingerprint import fingerprint_of
from grader.analysis.head import HeadItem
from grader.analysis.idle import NOTHING_IDLE, Idle
from grader.analysis.layers import layer_table
from grader.analysis.output import OutputKind, clipped_at, output_kind
from grader.analysis.parameters import Parameters, count_parameters
from grader.analysis.receptive_field.field import Coverage, ReceptiveField, find_field
from grader.analysis.receptive_field.proven import Proof
from grader.analysis.structure import Found, Structure, find_structure
from grader.assignment import Assignment
from grader.program.program import Program
from grader.report import IN_REPORT, Hint, LayerRow

ANALYSIS_VERSION = 2


@dataclass(frozen=True)
class Analysis:
    """All analyses of one Program. `proof` is None where nothing was measured."""

    program: Program
    parameters: Parameters
    structure: Structure
    receptive_field: ReceptiveField
    cost: Cost
    layers: tuple[LayerRow, ...]
    fingerprint: str
    output: OutputKind
    proof: Proof | None = None

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """What an instructor should look at. An honest network raises none."""
        found = []
        if self.proof and self.proof.disagreement:
            found.append(f"receptive field: {self.proof.text}")
        if self.parameters.counted != self.parameters.trainable:
            found.append(
                f"{self.parameters.trainable:,} of the {self.parameters.counted:,} parameters are "
                "trainable"
            )
        if self.parameters.other_types:
            found.append(f"not float32: {_named(self.parameters.other_types)}")
        if names := gradients.unreached(self.program):
            found.append(f"never learned, cut off by no_grad() or detach(): {_named(names)}")
        if names := gradients.left_out(self.program):
            found.append(f"never learned, not given to the optimizer: {_named(names)}")
        return tuple(found)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What helps to read the numbers."""
        found = [_NOTES[flag] for flag in self.receptive_field.flags]
        if self.parameters.running_statistics:
            found.append(
                f"{self.parameters.counted:,} parameters count; Keras would add the "
                f"{self.parameters.running_statistics:,} running statistics of BatchNorm: "
                f"{self.parameters.with_statistics:,}"
            )
        found += [
            f"shared weights, counted once: {' = '.join(names)}" for names in self.parameters.shared
        ]
        if self.output == "probabilities" and self.program.recipe.loss.name == "cross_entropy":
            found.append(
                "the network returns probabilities, and cross entropy takes a softmax of its "
                "own: it learns better from logits, or from log_softmax"
            )
        if clipped := clipped_at(self.program.eval):
            where = f" (line {clipped.line})" if clipped.line else ""
            found.append(
                f"the scores come out of {base(clipped)}{where}, so that none is below zero and "
                "classes that it cuts off learn nothing: leave out the last activation"
            )
        return tuple(found)


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


_NOTES = {
    "gate": "receptive field: a gate (such as squeeze-and-excitation) adds a view of the whole "
    "image; not counted",
    "context": "receptive field: a value from the whole image is added everywhere; not counted",
    "statistics": "receptive field: a normalisation over positions adds a view of the whole image; "
    "not counted",
    "misaligned": "receptive field: branches meet that do not see the same centre; the window "
    "covers both",
}


def analyse(program: Program, proof: Proof | None = None, idle: Idle = NOTHING_IDLE) -> Analysis:
    """Everything about a Program.

    `proof` is the measurement of `grader.analysis.proof`, `idle` that of `grader.analysis.effect`.
    """
    program = program.model_copy(update={"eval": lines.at_layers(program)})
    flow = trace(program.train)
    field = find_field(program.eval, idle=idle.evaluation)
    if proof is not None and not proof.disagreement:
        field = replace(field, measured=proof.masks.get(field.final))
        if field.is_bound:
            proof = replace(proof, bound=" × ".join(map(str, field.bound)))
    work = measure_cost(program.eval, field.live)
    count = count_parameters(program, flow)
    return Analysis(
        program=program,
        parameters=count,
        structure=find_structure(program, field, flow, idle),
        receptive_field=field,
        cost=work,
        layers=layer_table(program, field, work, count.trainable + count.frozen),
        fingerprint=fingerprint_of(program.eval),
        output=output_kind(program.eval),
        proof=proof,
    )


def not_executed(program: Program) -> tuple[Hint, ...]:
    """What capture left out; where the whole training was rehearsed, all of it did run there."""
    if program.recipe.origin == "rehearsed":
        return ()
    return tuple(
        Hint(text=f"{item.text} ({item.reason})", line=item.line) for item in program.left_out
    )


def for_report(analysis: Analysis, assignment: Assignment) -> dict[str, Any]:
    """`to_json` without what the report has itself."""
    found = to_json(analysis, assignment)
    return {name: value for name, value in found.items() if name not in IN_REPORT}


def to_json(analysis: Analysis, assignment: Assignment) -> dict[str, Any]:
    """The analysis as JSON values, measured against an assignment's limits: see docs/json.md."""
    recipe = analysis.program.recipe
    schedule = {"schedule": curves.short(recipe.schedule)}
    return _known_keys(analysis, assignment) | {
        "schema_version": ANALYSIS_VERSION,
        "parameters": _parameters(analysis.parameters),
        "receptive_field": _receptive_field(analysis),
        "head": [_head_item(item) for item in analysis.structure.head],
        "output": analysis.output,
        "activations": activations(analysis.program.eval, analysis.receptive_field.live),
        "multiply_adds": analysis.cost.total,
        "activation_bytes": analysis.cost.memory,
        "layers": [row.model_dump(mode="json") for row in analysis.layers],
        "recipe": recipe.model_dump(mode="json", exclude={"schedule"}) | schedule,
        "flags": list(analysis.flags),
        "notes": list(analysis.notes),
        "left_out": [hint.model_dump(mode="json") for hint in not_executed(analysis.program)],
        "fingerprint": analysis.fingerprint,
    }


def _known_keys(analysis: Analysis, assignment: Assignment) -> dict[str, Any]:
    """The keys of `model_analysis_results.json`."""
    found = analysis.structure
    batch_norm, dropout = _layers(found.batch_norm), _layers(found.dropout)
    gap = [item for item in found.head if item.kind == "global average pooling"]
    fully_connected = [item for item in found.head if item.kind == "fully connected"]
    limit = assignment.limits.parameters
    return {
        "total_parameters": analysis.parameters.trainable,
        "batch_normalization": batch_norm,
        "dropout": dropout,
        "gap_or_fc": {
            "gap_found": found.has_gap,
            "fc_found": found.has_fc,
            "gap_layers": [
                {"name": item.name, "type": item.type, "output_size": 1} for item in gap
            ],
            "fc_layers": [
                {
                    "name": item.name,
                    "type": item.type,
                    "in_features": item.in_features,
                    "out_features": item.out_features,
                }
                for item in fully_connected
            ],
        },
        "requirements_met": {
            "parameter_count": {
                "requirement": str(limit),
                "actual": analysis.parameters.counted,
                "passed": limit.allows(analysis.parameters.counted),
            },
            "batch_normalization": _requirement("Must use Batch Normalization", batch_norm),
            "dropout": _requirement("Must use Dropout", dropout),
            "gap_or_fc": {
                "requirement": "Must use GAP or a fully connected layer",
                "gap_found": found.has_gap,
                "fc_found": found.has_fc,
                "passed": found.has_gap or found.has_fc,
            },
        },
    }


def _layers(found: Found) -> dict[str, Any]:
    rows = [{"name": layer.name, "type": layer.type, **layer.settings} for layer in found.layers]
    return {"found": bool(rows), "layers": rows, "count": len(rows)}


def _requirement(text: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "requirement": text,
        "found": found["found"],
        "count": found["count"],
        "passed": found["found"],
    }


def _parameters(ledger: Parameters) -> dict[str, Any]:
    return {
        "trainable": ledger.trainable,
        "frozen": ledger.frozen,
        "buffers": ledger.buffers,
        "running_statistics": ledger.running_statistics,
        "constants": ledger.constants,
        "shared": [list(names) for names in ledger.shared],
        "unused": list(ledger.unused_names),
        "counted": ledger.counted,
        "with_statistics": ledger.with_statistics,
        "not_float32": list(ledger.other_types),
    }


def _receptive_field(analysis: Analysis) -> dict[str, Any]:
    field = analysis.receptive_field
    rows, columns = field.at_end
    return {
        "rows": field.rows,
        "columns": field.columns,
        "seen_rows": list(rows.span or ()),
        "seen_columns": list(columns.span or ()),
        "coverage": _coverage(field.coverage),
        "coverage_of_centre_unit": _coverage(field.centre_coverage),
        "proven": field.proven,
        "reason": field.reason,
        "measurement": analysis.proof.text if analysis.proof else "not measured",
        "flags": list(field.flags),
        "line": field.line,
    }


def _coverage(share: Coverage) -> dict[str, float]:
    return {"rows": share.rows, "columns": share.columns, "pixels": share.pixels}


def _head_item(item: HeadItem) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "name": item.name,
        "type": item.type,
        "spelled": item.spelled,
        "line": item.line,
    }
