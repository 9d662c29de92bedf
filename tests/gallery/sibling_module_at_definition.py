"""The class inherits from one in a file that was not handed in.

✗ submission: line 6: The network uses base_model, which is not installed here. If base_model is a file of yours, copy what you use into the submission, which is one file; if it is a package, write that part with torch alone.
"""

from base_model import BaseModel


class Net(BaseModel):
    def forward(self, x):
        return self.block(x).mean((2, 3))
