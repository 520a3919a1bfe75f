"""Count which class is taken for which, background included."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from executor.detections import iou_matrix
from executor.evaluation.boxes import Matches, image_slices
from executor.evaluation.matching import IOU


def confusion_matrix(matches: Matches, threshold: float) -> NDArray[np.int64]:
    """Count the true boxes of each class (rows) by the class they are taken for (columns), (K + 1, K + 1).

    Of predictions scored `threshold` and above. What is right, as for precision and recall, is the diagonal. Then each
    wrong prediction, highest score first, is paired with the true box left that it overlaps most, at IoU 0.5 or more,
    which is of another class. The last row are predictions without one, on background, the last column true boxes
    without one. So a row sums to the true boxes of its class, and a column to its predictions.
    """
    classes = matches.classes
    shown = matches.score >= np.float32(threshold)
    right = np.flatnonzero(matches.right & shown)
    taken_for = np.full(len(matches.true_image), classes)  # (G,) the class that each true box is taken for
    taken_for[matches.matched[right]] = matches.label[right]
    on_background = np.zeros(classes, np.int64)
    wrong, left = matches.wrong & shown, matches.true_counted & ~matches.found(shown)
    slices = zip(image_slices(matches.image, matches.images), image_slices(matches.true_image, matches.images))
    for of_image, true_of_image in slices:
        predictions = of_image.start + np.flatnonzero(wrong[of_image])
        truths = true_of_image.start + np.flatnonzero(left[true_of_image])
        iou = iou_matrix(matches.box[predictions], matches.true_box[truths])
        for row in np.argsort(-matches.score[predictions], kind='stable'):
            label = matches.label[predictions[row]]
            if iou[row].max(initial=0) < IOU:
                on_background[label] += 1
                continue
            column = iou[row].argmax()
            taken_for[truths[column]] = label
            iou[:, column] = 0
    counted = matches.true_counted
    cells = matches.true_label[counted].astype(np.int64) * (classes + 1) + taken_for[counted]
    matrix = np.bincount(cells, minlength=(classes + 1) ** 2).reshape(classes + 1, -1)
    matrix[-1, :-1] = on_background
    return matrix
