#: editor = "kaggle"
#: refused = ["fastai"]
#: at = "from fastai"
# %%
from fastai.vision.all import *
path = untar_data(URLs.MNIST)
dls = ImageDataLoaders.from_folder(path, train='training', valid='testing')
# %%
learn = cnn_learner(dls, resnet18, metrics=accuracy)
learn.fit_one_cycle(3)
