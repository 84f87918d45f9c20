"""Stages between two ports: conversion, fibre, routing, the photon's temporal mode."""
