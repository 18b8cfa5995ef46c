"""Which environment variables a request may set in a container: any, but those that something reads before
the algorithm does.

Takes the ``Environment`` of CreateTrainingJob, CreateTransformJob, a model or a model package; raises the
``ValidationException`` that names the variable and who would read it.

The families are broad on purpose. A list of the names that are known to run code would always lack the next
one, and a variable of the algorithm's own can have another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from include.wire import AwsError

_READ_BY = {
    who: re.compile(names, re.IGNORECASE)
    for who, names in {
        "the loader and the C library": r"LD_.*|DYLD_.*|GLIBC_.*|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LANGUAGE"
        r"|LANG|LC_.*|LOCALDOMAIN|LOCPATH|MALLOC_.*|NLSPATH|RES_OPTIONS|TZ|TZDIR",
        "interpreters": r"_.*|PYTHON.*|VIRTUAL_ENV|CONDA_.*|PIP_.*|PERL.*|RUBY.*|NODE_.*|JAVA_.*|JDK_.*"
        r"|LUA_.*",
        "shells and their tools": r"PATH|BASH.*|ENV|IFS|PS[0-9]|SHELL|SHELLOPTS|CDPATH|PROMPT_COMMAND|FPATH"
        r"|GIT_.*|EDITOR|VISUAL|PAGER|LESS.*",
        "every program that looks for its user": r"HOME|USER|LOGNAME|TMP|TEMP|TMPDIR|XDG_.*",
        "network libraries": r".*_PROXY|SSL.*|OPENSSL_.*|REQUESTS_.*|CURL_.*|AWS_.*|BOTO_.*",
        "the numeric libraries": r"JAX_.*|XLA_.*|TF_XLA_.*|PJRT_.*|TPU_.*|LIBTPU.*|CUDA_.*|NVIDIA_.*|NCCL_.*"
        r"|ROCR_.*|HIP_.*|OMP_(?!NUM_THREADS$).*|GOMP_.*|KMP_.*|MKL_.*|OPENBLAS_.*|MPL.*",
        "the container contract": r"SM_.*|SAGEMAKER_BIND_TO_PORT|TRAINING_JOB_.*",
    }.items()
}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def refusal(environment: Mapping[str, str]) -> str:
    """Why these variables cannot be set, or "" when they can."""
    for name, value in environment.items():
        for who, names in _READ_BY.items():
            if names.fullmatch(name):
                return (
                    f"Environment: {name} cannot be set, because it is read by {who} before the algorithm "
                    "has a say: give the variable another name, or pass a hyperparameter"
                )
        if not _NAME.fullmatch(name):
            return f"Environment: {name!r} is no name of a variable: letters, digits and _ are allowed"
        if _NO_TEXT.search(value):
            return f"Environment: the value of {name} has a character that no variable can hold"
    return ""


def check(environment: Mapping[str, str]) -> None:
    """Raises ``ValidationException`` for variables that a container must not be given."""
    if reason := refusal(environment):
        raise AwsError("ValidationException", reason)
