"""mmengine and mmdet: parameters to config, records to dataset, hooks to the platform, weights in and out."""
