import json

import torch.nn as nn


def analyze_model(model):
    """Checks the requirements of the assignment and writes model_analysis_results.json"""
    results = {"total_parameters": sum(p.numel() for p in model.parameters())}

    bn_layers, dropout_layers, gap_layers, fc_layers = [], [], [], []
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            bn_layers.append({"name": name, "type": "BatchNorm2d", "num_features": module.num_features})
        elif isinstance(module, (nn.Dropout, nn.Dropout2d)):
            dropout_layers.append({"name": name, "type": type(module).__name__, "p": module.p})
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            gap_layers.append({"name": name, "type": "AdaptiveAvgPool2d", "output_size": module.output_size})
        elif isinstance(module, nn.Linear):
            fc_layers.append({"name": name, "type": "Linear", "in_features": module.in_features,
                              "out_features": module.out_features})

    results["batch_normalization"] = {"found": bool(bn_layers), "layers": bn_layers, "count": len(bn_layers)}
    results["dropout"] = {"found": bool(dropout_layers), "layers": dropout_layers, "count": len(dropout_layers)}
    results["gap_or_fc"] = {"gap_found": bool(gap_layers), "fc_found": bool(fc_layers),
                            "gap_layers": gap_layers, "fc_layers": fc_layers}
    results["requirements_met"] = {
        "parameter_count": {"requirement": "< 20,000", "actual": results["total_parameters"],
                            "passed": results["total_parameters"] < 20000},
        "batch_normalization": {"requirement": "Must use BatchNorm", "found": bool(bn_layers),
                                "count": len(bn_layers), "passed": bool(bn_layers)},
        "dropout": {"requirement": "Must use Dropout", "found": bool(dropout_layers),
                    "count": len(dropout_layers), "passed": bool(dropout_layers)},
        "gap_or_fc": {"requirement": "Must use GAP or FC", "gap_found": bool(gap_layers),
                      "fc_found": bool(fc_layers), "passed": bool(gap_layers or fc_layers)},
    }
    return results


def print_analysis(results):
    print("=" * 50)
    print(f"Total Parameters: {results['total_parameters']:,}")
    for name, entry in results["requirements_met"].items():
        print(f"{name:25s} {'PASSED' if entry['passed'] else 'FAILED'}")
    print("=" * 50)


def save_results(results, path="model_analysis_results.json"):
    with open(path, "w") as f:
        json.dump(results, f, indent=4)
