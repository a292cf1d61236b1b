"""All code that needs Keras.

Importing a module of this package imports TensorFlow. Therefore the rest of skhisto
imports these modules only inside the functions that train or predict.
"""

from skhisto._keras._backend import require_tensorflow
from skhisto._keras._threads import keep_to_share_of_cores

require_tensorflow()
keep_to_share_of_cores()
