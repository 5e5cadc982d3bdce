package signing_test

import (
	"errors"
	"fmt"
	"time"

	"onair/signing"
)

func ExamplePushSigner() {
	signer, err := signing.NewSigner("tencent", "", signing.SignerConfig{Key: "push key", BackupKey: "previous push key"})
	if err != nil {
		panic(err)
	}
	push, err := signing.NewPushSigner(signing.PushSignerConfig{
		Signer: signer, Domain: "push.example.com", App: "live", TTL: 24 * time.Hour,
	})
	if err != nil {
		panic(err)
	}
	urls := push.URLs("8888_alice_x", time.Unix(1_800_000_000, 0))
	fmt.Println(urls.Server)
	fmt.Println(urls.Key)
	// Output:
	// rtmp://push.example.com/live/
	// 8888_alice_x?txSecret=70adb6a59af2468a76aabbc92dc8e686&txTime=6B4B2380
}

func ExamplePlaySigner() {
	signer, err := signing.NewSigner("aliyun_b", "", signing.SignerConfig{Key: "play key"})
	if err != nil {
		panic(err)
	}
	play, err := signing.NewPlaySigner(signing.PlaySignerConfig{
		Signer: signer, Domains: []signing.Domain{{Name: "play.example.com"}}, App: "live",
		TTL: 2 * time.Hour, Protocols: []signing.Protocol{signing.FLV, signing.HLS},
	})
	if err != nil {
		panic(err)
	}
	expires := play.Expiry("8888_alice_x", time.Unix(1_800_000_000, 0).UnixMilli())
	fmt.Printf("%s\n", play.AppendURL(nil, signing.FLV, "8888_alice_x", expires))
	// Output:
	// https://play.example.com/202701151731/298ff3a5c3d4329a6b0601b02905b3b7/live/8888_alice_x.flv
}

func ExampleSigner_Verify() {
	signer, err := signing.NewSigner("secure_link", "", signing.SignerConfig{Key: "key"})
	if err != nil {
		panic(err)
	}
	stream := signing.Resource{App: "live", Stream: "8888_alice_x", Protocol: signing.HLS}
	err = signer.Verify(stream, "md5=xxxxxxxxxxxxxxxxxxxxxx&expires=1800000000", 1_700_000_000)
	fmt.Println(errors.Is(err, signing.ErrMismatch), err)
	// Output:
	// true signing: the signature does not match
}

func ExampleNewTemplateSigner() {
	signer, err := signing.NewTemplateSigner("wsSecret={md5 key path time}&wsTime={time hex}", signing.SignerConfig{Key: "key"})
	if err != nil {
		panic(err)
	}
	stream := signing.Resource{Domain: "play.example.com", App: "live", Stream: "8888_alice_x", Protocol: signing.HLS}
	fmt.Printf("%s\n", signer.AppendURL(nil, stream, 1_800_000_000))
	// Output:
	// https://play.example.com/live/8888_alice_x.m3u8?wsSecret=2e00cb75ec97dd2537b166d9ee004052&wsTime=6b49d200
}
