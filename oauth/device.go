package oauth

import (
	"context"
	"errors"
	"time"
)

// DeviceCode is what a person is to be told: to open the address on any device
// and give the code there.
type DeviceCode struct {
	Address string
	Code    string
	Until   time.Time // it is good for nothing afterwards
}

// Bounds of a login by another device.
const (
	deviceTime   = 15 * time.Minute // where the server does not say how long the code lasts
	deviceFaults = 3                // so often the network may fail while we wait
)

// Device has a person log in on another device (RFC 8628): show is told where,
// and the server is asked until that was done, refused or took too long.
func (c *Client) Device(ctx context.Context, show func(DeviceCode)) (*Grant, error) {
	if c.DeviceURL == "" {
		return nil, &Error{Kind: KindRefused, Err: errors.New("there is no address for a login by another device"),
			Hint: "give device_url, or log in without --device"}
	}
	conf := c.config()
	ctx, cancel := context.WithCancel(client(ctx))
	defer cancel()
	device, err := conf.DeviceAuth(ctx)
	if err != nil {
		err = failure(ctx, err, c.secrets())
		var e *Error
		if errors.As(err, &e) && e.Code == "invalid_scope" {
			e.Hint = "some providers, Google for one, give access to mail to no device: log in with a browser instead"
		}
		return nil, err
	}
	secrets := c.secrets(device.DeviceCode)
	if device.DeviceCode == "" || device.UserCode == "" || device.VerificationURI == "" {
		return nil, &Error{Kind: KindRefused, Err: errors.New("what the authorization server answered is no device code")}
	}
	if device.Expiry.IsZero() {
		device.Expiry = time.Now().Add(deviceTime)
	}
	show(DeviceCode{shown(device.VerificationURI, secrets), shown(device.UserCode, secrets), device.Expiry})
	for faults := 0; ; {
		token, err := conf.DeviceAccessToken(ctx, device)
		if err == nil {
			return c.grant(token, time.Now())
		}
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(device.Expiry) {
			return nil, &Error{Kind: KindLogin, Err: errors.New("the code was not used in time")}
		}
		var e *Error
		if err = failure(ctx, err, secrets); !errors.As(err, &e) || e.Kind != KindUnavailable || faults == deviceFaults {
			return nil, err
		}
		faults++
	}
}
