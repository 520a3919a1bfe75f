"""What a person looks at after a training: numbers per class and pictures. numpy, pycocotools and cv2, no torch."""
