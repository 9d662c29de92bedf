#: editor = "colab"
#: refused = ["Keras"]
#: at = ""
# %%
import tensorflow as tf
(x, y), (xt, yt) = tf.keras.datasets.mnist.load_data()
x, xt = x[..., None] / 255.0, xt[..., None] / 255.0
# %%
model = tf.keras.Sequential([
    tf.keras.layers.Conv2D(8, 3, activation="relu", input_shape=(28, 28, 1)),
    tf.keras.layers.GlobalAveragePooling2D(),
    tf.keras.layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
#> Total params: 170
#> Trainable params: 170
#> Non-trainable params: 0
# %%
model.fit(x, y, epochs=5, batch_size=32, validation_data=(xt, yt))
