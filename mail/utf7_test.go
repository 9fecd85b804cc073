package mail

import "testing"

func TestUTF7(t *testing.T) {
	for name, coded := range map[string]string{
		"INBOX": "INBOX", "Entwürfe": "Entw&APw-rfe", "A&B": "A&-B", "日本": "&ZeVnLA-", "😀": "&2D3eAA-", "a\x01": "a&AAE-", "\ufffd": "&,,0-", "": "", "-": "-",
		"&": "&-", "ü&": "&APw-&-",
	} {
		if got := EncodeUTF7(name); got != coded {
			t.Errorf("%q is written %q, want %q", name, got, coded)
		}
		if got := DecodeUTF7(coded); got != name {
			t.Errorf("%q is read as %q, want %q", coded, got, name)
		}
	}
	for _, wrong := range []string{"R&D", "&AOQ", "&A-", "&!-", "&"} {
		if got := DecodeUTF7(wrong); got != wrong {
			t.Errorf("%q is read as %q", wrong, got)
		}
	}
}
