"""The image is read row by row by a recurrent network: none of the operators on the list.

✗ submission: line 16: rnn (LSTM) uses aten.lstm.input, which the grader does not know. All that trains a network here is on a list. Use nn.Conv1d or nn.Conv2d over the rows.
"""

import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(28, 32, batch_first=True)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        out, _ = self.rnn(x.squeeze(1))
        return self.fc(out[:, -1])
