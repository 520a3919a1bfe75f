"""Make what a person looks at: tables and pictures. numpy, pycocotools and cv2, no torch."""
