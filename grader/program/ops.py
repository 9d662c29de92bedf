"""The operators that a submission may use, one entry each: exact name, arguments, kind.

No torch here. The argument lists are PyTorch's own (a test compares every entry with torch's
schema), so analyses can ask a node for `stride` by name. What is not listed is refused: absence is
the security rule.

Source: the ATen operators of https://pytorch.org/docs/stable/torch.compiler_ir.html and torch's
native_functions.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """How an operator moves information between positions.

    That is what the receptive field and the dataflow need to know of it.
    """

    POINTWISE = "each output position reads the same position of its inputs (with broadcasting)"
    CONVOLUTION = "a window over positions, all channels of a group"
    TRANSPOSED_CONVOLUTION = "a window scattered over positions"
    POOLING = "a window over positions, each channel by itself"
    ADAPTIVE_POOLING = "windows chosen so that the output has a given size"
    BATCH_NORM = "pointwise; statistics over the batch when training"
    NORM = "pointwise; statistics over channels or positions"
    DROPOUT = "pointwise; random when active"
    LINEAR = "mixes the last dimension"
    MATMUL = "mixes a dimension of two tensors"
    ATTENTION = "mixes positions of a sequence"
    REDUCE = "mixes the named dimensions into one"
    ALONG = "mixes positions along one dimension and keeps the shape"
    RESHAPE = "the same values under another shape"
    PERMUTE = "the same values with dimensions in another order"
    EXPAND = "the same values, repeated"
    SELECT = "some of the values"
    SPLIT = "a list of pieces along a dimension"
    FLIP = "the same values in reverse order along dimensions"
    ROLL = "the same values, moved round along dimensions"
    GATHER = "values picked by a tensor of indices"
    PAD = "a border added or removed"
    CONCATENATE = "tensors side by side"
    STACK = "tensors along a new dimension"
    UPSAMPLE = "resizing"
    UNFOLD = "windows laid out as channels"
    PIXEL_SHUFFLE = "channels moved to positions"
    PIXEL_UNSHUFFLE = "positions moved to channels"
    CHANNEL_SHUFFLE = "channels of all groups in turn"
    GATED_HALVES = "one half of a dimension times a gate made of the other"
    CREATE = "a new tensor that holds none of the input's values"
    SIZE = "a number: a shape, or arithmetic on shapes"
    TAKE = "one element of a list"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an operator: its name, and its default where it need not be given."""

    name: str
    default: Any = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Operator:
    """One accepted operator.

    `writes`: it changes its first argument in place. `views`: its result looks at its first
    argument's memory. `loses_nan`: NaN in the input may not reach the output, so a NaN probe proves
    nothing behind it. `label` is the word for people ("max pooling").
    """

    name: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    label: str
    writes: bool = False
    views: bool = False
    loses_nan: bool = False

    def bind(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
        """Every argument by name, defaults filled in.

        Raises ValueError when the call does not fit the operator.
        """
        if len(arguments) > len(self.parameters):
            raise ValueError(
                f"{self.name} takes {len(self.parameters)} arguments, not {len(arguments)}"
            )
        bound = {
            parameter.name: value
            for parameter, value in zip(self.parameters, arguments, strict=False)
        }
        names = {parameter.name for parameter in self.parameters}
        for name, value in keywords.items():
            if name not in names:
                raise ValueError(f"{self.name} has no argument {name}")
            if name in bound:
                raise ValueError(f"{self.name} is given {name} twice")
            bound[name] = value
        for parameter in self.parameters:
            if parameter.name not in bound:
                if parameter.required:
                    raise ValueError(f"{self.name} lacks its argument {parameter.name}")
                bound[parameter.name] = parameter.default
        for name in PLACEMENT & bound.keys():
            if bound[name] is not None:
                raise ValueError(f"{self.name} is given a {name}, which is decided by the grader")
        return bound


PLACEMENT = frozenset({"layout", "device", "pin_memory", "memory_format"})
"""Where a tensor lives and how it is laid out: decided by the grader, not by the submission."""

_WORDS: dict[str, Any] = {"None": None, "True": True, "False": False, "[]": ()}


def _parameter(text: str) -> Parameter:
    name, equals, default = text.partition("=")
    if not equals:
        return Parameter(name)
    if default in _WORDS:
        return Parameter(name, _WORDS[default], required=False)
    if default.startswith("'"):
        return Parameter(name, default.strip("'"), required=False)
    number = float(default) if "." in default or "e" in default else int(default)
    return Parameter(name, number, required=False)


def _table(kind: Kind, text: str, **facts: bool) -> dict[str, Operator]:
    """Entries from lines `overload[ overload...]: argument argument=default ... ; label`.

    `facts` are those of an Operator; a name that ends in "_" writes, unless they say otherwise.
    """
    table = {}
    for line in text.strip().splitlines():
        names, _, rest = line.strip().partition(":")
        arguments, _, label = rest.partition(";")
        parameters = tuple(_parameter(item) for item in arguments.split())
        for name in names.split():
            base, _, overload = name.partition(".")
            facts_here = {"writes": base.endswith("_") and not base.endswith("__"), **facts}
            full = f"aten.{base}.{overload or 'default'}"
            table[full] = Operator(
                full,
                kind,
                parameters,
                label.strip() or base.strip("_").replace("_", " "),
                **facts_here,
            )
    return table


OPERATORS: dict[str, Operator] = {
    **_table(
        Kind.CONVOLUTION,
        """
        conv1d conv2d conv3d: input weight bias=None stride=1 padding=0 dilation=1 groups=1 \
            ; convolution
        conv1d.padding conv2d.padding conv3d.padding: input weight bias=None stride=1 \
            padding='valid' dilation=1 groups=1 ; convolution
        """,
    ),
    **_table(
        Kind.TRANSPOSED_CONVOLUTION,
        """
        conv_transpose1d conv_transpose2d.input: input weight bias=None stride=1 padding=0 \
            output_padding=0 groups=1 dilation=1 ; transposed convolution
        """,
    ),
    **_table(
        Kind.POOLING,
        """
        max_pool1d max_pool2d max_pool3d: self kernel_size stride=[] padding=0 dilation=1 \
            ceil_mode=False ; max pooling
        avg_pool1d: self kernel_size stride=[] padding=0 ceil_mode=False count_include_pad=True \
            ; average pooling
        avg_pool2d avg_pool3d: self kernel_size stride=[] padding=0 ceil_mode=False \
            count_include_pad=True divisor_override=None ; average pooling
        """,
    ),
    **_table(
        Kind.POOLING,
        "max_pool2d_with_indices: self kernel_size stride=[] padding=0 dilation=1 ceil_mode=False "
        "; max pooling",
    ),
    **_table(
        Kind.ADAPTIVE_POOLING,
        """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d: self output_size \
            ; adaptive average pooling
        adaptive_max_pool1d adaptive_max_pool2d: self output_size ; adaptive max pooling
        """,
    ),
    **_table(
        Kind.BATCH_NORM,
        "batch_norm: input weight bias running_mean running_var training momentum eps "
        "cudnn_enabled ; batch norm",
    ),
    **_table(
        Kind.NORM,
        """
        layer_norm: input normalized_shape weight=None bias=None eps=1e-05 cudnn_enable=True \
            ; layer norm
        group_norm: input num_groups weight=None bias=None eps=1e-05 cudnn_enabled=True ; group norm
        instance_norm: input weight bias running_mean running_var use_input_stats momentum eps \
            cudnn_enabled ; instance norm
        rms_norm: input normalized_shape weight=None eps=None ; RMS norm
        _weight_norm: v g dim=0 ; weight norm
        """,
    ),
    **_table(
        Kind.DROPOUT,
        """
        dropout feature_dropout alpha_dropout feature_alpha_dropout: input p train ; dropout
        dropout_ feature_dropout_ alpha_dropout_ feature_alpha_dropout_: self p train ; dropout
        """,
    ),
    **_table(
        Kind.POINTWISE,
        """
        relu relu_ relu6 relu6_ sigmoid sigmoid_ tanh tanh_ silu silu_ mish mish_ hardswish \
            hardswish_ hardsigmoid hardsigmoid_ selu selu_: self
        abs abs_ neg neg_ exp exp_ log log_ log1p log1p_ log2 sqrt sqrt_ rsqrt rsqrt_ square \
            square_ reciprocal reciprocal_ sin cos tan atan erf erf_ expm1 floor ceil round trunc \
            log_sigmoid positive: self
        gelu gelu_: self approximate='none'
        elu elu_: self alpha=1 scale=1 input_scale=1
        celu celu_: self alpha=1.0
        leaky_relu leaky_relu_: self negative_slope=0.01
        hardtanh hardtanh_: self min_val=-1 max_val=1
        softplus: self beta=1 threshold=20
        softshrink hardshrink: self lambd=0.5
        prelu: self weight
        rrelu: self lower=0.125 upper=0.3333333333333333 training=False generator=None
        add.Tensor add_.Tensor sub.Tensor sub_.Tensor: self other alpha=1
        add.Scalar add_.Scalar sub.Scalar sub_.Scalar: self other alpha=1
        rsub.Scalar rsub.Tensor: self other alpha=1 ; sub
        mul.Tensor mul_.Tensor mul.Scalar mul_.Scalar div.Tensor div_.Tensor div.Scalar \
            div_.Scalar: self other
        maximum minimum: self other
        pow.Tensor_Tensor: self exponent
        max.other min.other: self other
        pow.Tensor_Scalar pow_.Scalar: self exponent
        pow.Scalar: self exponent
        addcmul addcmul_ addcdiv addcdiv_: self tensor1 tensor2 value=1
        lerp.Tensor lerp_.Tensor lerp.Scalar lerp_.Scalar: self end weight
        clone: self memory_format=None
        contiguous: self memory_format=None
        detach detach_ alias lift_fresh_copy lift_fresh: self
        """,
    ),
    **_table(
        Kind.POINTWISE,
        """
        clamp clamp_: self min=None max=None
        clamp.Tensor clamp_.Tensor: self min=None max=None
        clamp_min clamp_min_: self min
        clamp_max clamp_max_: self max
        threshold threshold_: self threshold value
        to.dtype: self dtype non_blocking=False copy=False memory_format=None
        to.other: self other non_blocking=False copy=False memory_format=None
        type_as: self other
        eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar: self other ; comparison
        eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor: self other ; comparison
        logical_not bitwise_not isnan isinf isfinite: self
        logical_and logical_or bitwise_and.Tensor bitwise_or.Tensor: self other
        where.self: condition self other
        where.ScalarOther where.ScalarSelf where.Scalar: condition self other
        masked_fill.Scalar masked_fill_.Scalar masked_fill.Tensor masked_fill_.Tensor: self mask \
            value
        fill_.Scalar fill_.Tensor: self value
        zero_: self
        copy_: self src non_blocking=False
        nan_to_num: self nan=None posinf=None neginf=None
        sign: self
        tril triu: self diagonal=0 ; triangle
        """,
        loses_nan=True,
    ),
    **_table(Kind.LINEAR, "linear: input weight bias=None ; linear"),
    **_table(
        Kind.MATMUL,
        """
        matmul: self other ; matrix product
        mm: self mat2 ; matrix product
        bmm: self mat2 ; matrix product
        addmm: self mat1 mat2 beta=1 alpha=1 ; matrix product
        mv: self vec ; matrix product
        dot: self tensor ; matrix product
        einsum: equation tensors path=None ; einsum
        """,
    ),
    **_table(
        Kind.ATTENTION,
        "scaled_dot_product_attention: query key value attn_mask=None dropout_p=0.0 "
        "is_causal=False scale=None enable_gqa=False ; attention",
    ),
    **_table(
        Kind.REDUCE,
        """
        mean.dim: self dim keepdim=False dtype=None ; mean
        sum.dim_IntList: self dim keepdim=False dtype=None ; sum
        mean sum: self dtype=None
        amax amin: self dim=[] keepdim=False
        max.dim min.dim: self dim keepdim=False
        max min: self
        std.dim var.dim: self dim unbiased=True keepdim=False
        std.correction var.correction: self dim=None correction=None keepdim=False
        std_mean.correction var_mean.correction: self dim=None correction=None keepdim=False
        std_mean.dim var_mean.dim: self dim unbiased=True keepdim=False
        norm.ScalarOpt_dim: self p dim keepdim=False
        linalg_vector_norm: self ord=2 dim=None keepdim=False dtype=None ; norm
        logsumexp: self dim keepdim=False
        prod.dim_int: self dim keepdim=False dtype=None
        """,
    ),
    **_table(
        Kind.REDUCE,
        "argmax argmin: self dim=None keepdim=False",
        loses_nan=True,
    ),
    **_table(
        Kind.ALONG,
        """
        softmax.int log_softmax.int: self dim dtype=None
        cumsum: self dim dtype=None
        """,
    ),
    **_table(
        Kind.RESHAPE,
        """
        view _unsafe_view: self size ; reshape
        reshape: self shape
        view_as reshape_as: self other ; reshape
        flatten.using_ints: self start_dim=0 end_dim=-1
        unflatten.int: self dim sizes
        unsqueeze unsqueeze_: self dim
        squeeze squeeze_: self
        squeeze.dim squeeze.dims squeeze_.dim: self dim
        """,
        views=True,
        writes=False,  # unsqueeze_ and its like change the shape, not the values
    ),
    **_table(
        Kind.PERMUTE,
        """
        permute: self dims
        transpose.int transpose_: self dim0 dim1
        t numpy_T mT: self ; transpose
        movedim.intlist movedim.int: self source destination
        swapaxes: self axis0 axis1 ; transpose
        swapdims: self dim0 dim1 ; transpose
        """,
        views=True,
        writes=False,  # transpose_ changes the shape, not the values
    ),
    **_table(
        Kind.EXPAND,
        """
        expand: self size implicit=False
        expand_as: self other ; expand
        """,
        views=True,
    ),
    **_table(Kind.EXPAND, "repeat: self repeats"),
    **_table(
        Kind.SELECT,
        """
        slice.Tensor: self dim=0 start=None end=None step=1
        select.int: self dim index
        narrow: self dim start length
        """,
        views=True,
    ),
    **_table(
        Kind.SPLIT,
        """
        chunk: self chunks dim=0
        split.Tensor: self split_size dim=0
        split.sizes: self split_size dim=0
        split_with_sizes: self split_sizes dim=0 ; split
        unbind.int: self dim=0
        tensor_split.sections: self sections dim=0 ; split
        """,
        views=True,
    ),
    **_table(Kind.FLIP, "flip: self dims"),
    **_table(Kind.ROLL, "roll: self shifts dims=[]"),
    **_table(
        Kind.GATHER,
        """
        index_select: self dim index ; index
        index.Tensor: self indices
        """,
    ),
    **_table(
        Kind.PAD,
        """
        pad: self pad mode='constant' value=None
        constant_pad_nd: self pad value=0 ; pad
        reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d: self padding ; pad
        """,
    ),
    **_table(Kind.CONCATENATE, "cat concat: tensors dim=0 ; concatenation"),
    **_table(Kind.STACK, "stack: tensors dim=0"),
    **_table(
        Kind.UPSAMPLE,
        """
        upsample_nearest2d.vec: input output_size scale_factors ; nearest upsampling
        upsample_bilinear2d.vec upsample_bicubic2d.vec: input output_size align_corners \
            scale_factors ; upsampling
        upsample_nearest2d: self output_size scales_h=None scales_w=None ; nearest upsampling
        upsample_bilinear2d upsample_bicubic2d: self output_size align_corners scales_h=None \
            scales_w=None ; upsampling
        """,
    ),
    **_table(Kind.UNFOLD, "im2col: self kernel_size dilation padding stride ; unfold"),
    **_table(Kind.PIXEL_SHUFFLE, "pixel_shuffle: self upscale_factor"),
    **_table(Kind.PIXEL_UNSHUFFLE, "pixel_unshuffle: self downscale_factor"),
    **_table(Kind.CHANNEL_SHUFFLE, "channel_shuffle: self groups"),
    **_table(Kind.GATED_HALVES, "glu: self dim=-1 ; gated linear unit"),
    **_table(
        Kind.CREATE,
        """
        zeros_like ones_like rand_like randn_like: self dtype=None layout=None device=None \
            pin_memory=None memory_format=None
        full_like: self fill_value dtype=None layout=None device=None pin_memory=None \
            memory_format=None
        zeros ones rand randn: size dtype=None layout=None device=None pin_memory=None
        full: size fill_value dtype=None layout=None device=None pin_memory=None
        new_zeros new_ones: self size dtype=None layout=None device=None pin_memory=None
        arange: end dtype=None layout=None device=None pin_memory=None
        arange.start: start end dtype=None layout=None device=None pin_memory=None
        linspace: start end steps dtype=None layout=None device=None pin_memory=None
        arange.start_step: start end step=1 dtype=None layout=None device=None pin_memory=None
        scalar_tensor: s dtype=None layout=None device=None pin_memory=None
        """,
        loses_nan=True,
    ),
    **_table(Kind.SIZE, "sym_size.int: self dim ; size"),
}
OPERATORS |= {
    name: Operator(name, Kind.SIZE, (Parameter("a"), Parameter("b")), name.split(".")[1])
    for name in ("operator.add", "operator.sub", "operator.mul", "operator.floordiv")
}
OPERATORS["operator.getitem"] = Operator(
    "operator.getitem", Kind.TAKE, (Parameter("a"), Parameter("b")), "take"
)

INSTEAD = {
    "lstm gru rnn_tanh rnn_relu": "Use nn.Conv1d or nn.Conv2d over the rows.",
    "out": "Use nn.BatchNorm2d or weight_norm: this writes into a tensor of its own in every "
    "forward pass.",
    "fractional_max_pool2d": "Use nn.MaxPool2d, or a convolution with a stride.",
    "max_unpool2d upsample_nearest1d upsample_linear1d": "Use nn.Upsample or nn.ConvTranspose2d "
    "on rows and columns.",
    "_upsample_nearest_exact2d": 'Use mode="nearest".',
    "_upsample_bilinear2d_aa _upsample_bicubic2d_aa": "Use antialias=False.",
    "col2im": "Use nn.ConvTranspose2d or nn.PixelShuffle.",
    "bilinear": "Use nn.Linear on both tensors side by side (torch.cat).",
    "embedding": "Use nn.Linear, or a convolution, on the pixels.",
    "topk sort median kthvalue": "Use amax, mean or nn.MaxPool2d.",
    "grid_sampler affine_grid_generator": "Move and turn the training images instead, in "
    "train_transform.",
    "cosine_similarity cdist": "Use F.normalize on both, then F.linear.",
    "hstack vstack": "Use torch.cat.",
    "repeat_interleave": "Use nn.Upsample for positions, x.repeat() for channels.",
    "baddbmm": "Use torch.bmm and +.",
    "bernoulli empty empty_like new_empty": "To leave a branch out at random (stochastic depth), "
    "multiply it by F.dropout(x.new_ones(x.size(0), 1, 1, 1), p, self.training); to fill a new "
    "tensor, begin with torch.zeros.",
    "meshgrid": "Use rows.view(-1, 1).expand(h, w) and columns.expand(h, w).",
}
"""What to write for the operators that students use most, of those that are not listed.

`out` is an overload.
"""


def instead(name: str) -> str:
    """What to write for an operator that is not accepted; "" where there is no one answer."""
    _, *words = name.split(".")
    return next((text for names, text in INSTEAD.items() if set(words) & set(names.split())), "")


def find(name: str) -> Operator:
    """The entry of that exact name. Raises ValueError when the operator is not accepted."""
    if name not in OPERATORS:
        raise ValueError(f"the operator {name} is not one that the grader accepts")
    return OPERATORS[name]
