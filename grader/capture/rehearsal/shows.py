"""Packages that only show something, and those that tell a file where it runs."""

from __future__ import annotations

SHOW = frozenset(
    """
    matplotlib pylab seaborn plotly bokeh altair pandas wandb tensorboard tensorboardX
    torchsummary torchsummaryX torchinfo torchviz torchview hiddenlayer netron graphviz pydot
    IPython ipywidgets ipykernel sklearn scipy skimage cv2 imageio albumentations tqdm google
    psutil GPUtil pynvml prettytable tabulate colorama termcolor requests gdown torchmetrics
    thop fvcore ptflops mlflow comet_ml neptune clearml rich loguru dotenv gradio streamlit
    flask fastapi onnx onnxruntime lightning lightning_fabric pytorch_lightning torch_lr_finder
    timm datasets transformers kornia boto3 pytest optuna ray hydra omegaconf progressbar
    accelerate alive_progress livelossplot visdom torch_xla kaggle_secrets
    """.split()  # noqa: SIM905 - one name a line would be longer than all the rest
)
"""What takes long to import or is not here, and decides nothing about a training."""
DETECTED = frozenset({"google", "IPython", "torch_xla", "kaggle_secrets", "apex"})
"""What files import to find out where they run: here, it is not there."""
REAL = frozenset({"torch", "torchvision", "numpy", "PIL", "torchgen", "functorch"})
