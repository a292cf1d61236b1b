"""The engine room: everything that needs Keras.

Importing any module in here imports TensorFlow, so the rest of the package does it
inside the functions that train or predict.
"""

from skhisto._keras._backend import require_tensorflow
from skhisto._keras._threads import keep_to_share_of_cores

require_tensorflow()
keep_to_share_of_cores()
