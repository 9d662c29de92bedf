import torch
from torchvision import datasets, transforms


def get_transforms():
    train = transforms.Compose([
        transforms.Pad(2),
        transforms.RandomCrop(28),
        transforms.RandomAffine(7, translate=(0.1, 0.1)),
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ])
    test = transforms.Compose([
        transforms.ToTensor(),
        transforms.Normalize((0.1307,), (0.3081,)),
    ])
    return train, test


def get_data_loaders(batch_size, use_cuda):
    train_transform, test_transform = get_transforms()
    kwargs = {'num_workers': 4, 'pin_memory': True} if use_cuda else {}
    train_loader = torch.utils.data.DataLoader(
        datasets.MNIST('../data', train=True, download=True, transform=train_transform),
        batch_size=batch_size, shuffle=True, **kwargs)
    test_loader = torch.utils.data.DataLoader(
        datasets.MNIST('../data', train=False, transform=test_transform),
        batch_size=batch_size, shuffle=False, **kwargs)
    return train_loader, test_loader


def count_parameters(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
