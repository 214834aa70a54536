"""Tamar's words for providers, ways of calling, and channels."""

from __future__ import annotations

from enum import Enum


class ProviderType(str, Enum):
    """Whose model it is."""

    OPENAI = "openai"
    GOOGLE = "google"
    AZURE = "azure"
    ANTHROPIC = "anthropic"
    AWS = "aws"
    ALIBABA = "alibaba"
    BFL = "bfl"
    BYTEPLUS = "byteplus"
    DOUBAO = "doubao"
    FAL_AI = "fal-ai"
    FISH_AUDIO = "fish-audio"
    FREEPIK = "freepik"
    KLING_AI = "kling-ai"
    MIDJOURNEY = "midjourney"
    MINIMAX = "minimax"
    SONILO = "sonilo"
    TENCENT_TOKENHUB = "tencent-tokenhub"
    TENCENTCLOUD_VOD = "tencentcloud-vod"
    TOPAZLABS = "topazlabs"
    TRIPO = "tripo"
    TUZI = "tuzi"
    VIDU = "vidu"
    XAI = "xai"
    XFUSIONAI = "xfusionai"


class InvokeType(str, Enum):
    """What is asked of the model."""

    RESPONSES = "responses"
    CHAT_COMPLETIONS = "chat-completions"
    MESSAGES = "messages"
    GENERATION = "generation"
    IMAGE_GENERATION = "image-generation"
    IMAGE_EDIT_GENERATION = "image-edit-generation"
    IMAGE_EDIT_MULTI_ANGLE = "image-edit-multi-angle"
    IMAGE_LAYER_GENERATION = "image-layer-generation"
    IMAGE_GENERATION_GENAI = "image-generation-genai"
    IMAGE_ENHANCE = "image-enhance"
    IMAGE_SEGMENTATION = "image-segmentation"
    IMAGE_TO_3D = "image-to-3d"
    IMAGE_UPSCALER = "image-upscaler"
    TEXT_TO_3D = "text-to-3d"
    VIDEO_GENERATION = "video-generation"
    VIDEO_GENERATION_GENAI = "video-generation-genai"
    VIDEO_EDIT_GENERATION = "video-edit-generation"
    VIDEO_ENHANCE = "video-enhance"
    VIDEO_SEGMENTATION = "video-segmentation"
    INTERACTION = "interaction"
    AUDIO_TRANSCRIPTION = "audio-transcription"
    AUDIO_GENERATION = "audio-generation"
    MUSIC_GENERATION = "music-generation"
    SOUND_EFFECT_GENERATION = "sound-effect-generation"


class Channel(str, Enum):
    """By which of a provider's services."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    VERTEXAI = "vertexai"
    AI_STUDIO = "ai-studio"
    DASHSCOPE_CN = "dashscope-cn"
    DASHSCOPE_INTL = "dashscope-intl"
    OMNIHUMAN = "omnihuman"
    SEEDANCE = "seedance"
    TENCENT_TOKENHUB = "tencent-tokenhub"
    TENCENTCLOUD_VOD = "tencentcloud-vod"
    WAN3 = "wan3"
    NORMAL = "normal"
