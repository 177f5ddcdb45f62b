"""Operators that cannot be compared, with the reason."""

import torch

BY_REASON = {
    "its result is uninitialized memory": """
        empty empty_like empty_strided empty_permuted new_empty new_empty_strided resize_ resize_as_ resize
        resize_as _resize_output_ _resize_output""",
    "its result depends on the generator": """
        normal randn_like rand_like randint_like randn rand randint randperm bernoulli multinomial poisson
        dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout _fused_dropout rrelu
        rrelu_with_noise binomial _sample_dirichlet _standard_gamma fractional_max_pool2d fractional_max_pool3d""",
    "its result is a storage, a stream or a property of the process": """
        record_stream is_pinned _pin_memory pin_memory _has_compatible_shallow_copy_type _version set_ set""",
}
REASONS = {name: reason for reason, names in BY_REASON.items() for name in names.split()}


def reason_to_leave_out(func):
    name = func._schema.name.split("::")[1]
    if torch.Tag.nondeterministic_seeded in func.tags:
        return "its result depends on the generator"
    return REASONS.get(name)
