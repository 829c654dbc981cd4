"""The matrix asserts in a module of its own, which pytest has to rewrite as it does tests."""

import pytest

pytest.register_assert_rewrite("matrix")
